package prefs

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

// update changes the documents of addresses; one that does not exist is an empty one.
func update(ctx context.Context, tx *sql.Tx, addresses []string, change func(string, *document) bool) error {
	recipients, err := load(ctx, tx, addresses)
	if err != nil {
		return err
	}
	spelled := byKey(addresses)
	for _, key := range slices.Sorted(maps.Keys(spelled)) {
		r := recipients[key]
		if r == nil {
			r = &row{}
		}
		copies := copiesOf(spelled[key])
		if !change(key, &r.document) && r.agrees(key, copies) {
			continue
		}
		for _, address := range append([]string{key}, idsOf(key, r.stored, r.restricts(), copies)...) {
			if err := store(ctx, tx, address, key, &r.document); err != nil {
				return err
			}
		}
	}
	return nil
}

// agrees tells whether the rows beside the one under the key have the same flags, and all copies are there.
func (r *row) agrees(key string, copies []string) bool {
	for address, flags := range r.stored {
		if address != key && flags != r.flags {
			return false
		}
	}
	return !r.restricts() || !slices.ContainsFunc(copies, func(address string) bool { _, ok := r.stored[address]; return !ok })
}

func store(ctx context.Context, tx *sql.Tx, address, key string, d *document) error {
	doc, err := json.Marshal(d.state())
	if err != nil {
		return err
	}
	moved, err := json.Marshal(d.movedTo())
	if err != nil {
		return err
	}
	if key == address {
		key = ""
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO emails (address, f, doc, ck, mv) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (address) DO UPDATE SET f = excluded.f, doc = excluded.doc, ck = excluded.ck, mv = excluded.mv`,
		address, d.flags, string(doc), key, string(moved))
	return err
}

// keyPage is how many rows fillKeys changes in one transaction.
const keyPage = 1000

// fillKeys gives each row that a 25f7307 stored under another spelling than its key that key. It takes the addresses
// in order and skips those that have it, so it may be killed at any point. The store is not there before it is done.
func (s *SQLite) fillKeys(ctx context.Context) error {
	for last := ""; ; {
		addresses, err := s.withoutKey(ctx, last)
		if err != nil || len(addresses) == 0 {
			return err
		}
		err = database.InTransaction(ctx, s.write, func(tx *sql.Tx) error {
			for _, address := range addresses {
				key := job.Key(address)
				if key == address {
					continue
				}
				if _, err := tx.ExecContext(ctx, `UPDATE emails SET ck = ? WHERE address = ?`, key, address); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		last = addresses[len(addresses)-1]
	}
}

// withoutKey returns the next addresses after last that may need a key. Those in ASCII are their own.
func (s *SQLite) withoutKey(ctx context.Context, last string) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT address FROM emails
		WHERE address > ? AND ck = '' AND address GLOB '*[^' || char(1) || '-' || char(127) || ']*' ORDER BY address LIMIT ?`, last, keyPage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var addresses []string
	for rows.Next() {
		var address string
		if err := rows.Scan(&address); err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
	}
	return addresses, rows.Err()
}
