package prefs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/pkg/database"
)

// SQLiteSchema makes the table of an SQLite store. f is repeated out of doc for people who look into the file.
const SQLiteSchema = `
CREATE TABLE emails (
	address TEXT    NOT NULL PRIMARY KEY, -- Key(address)
	f       INTEGER NOT NULL,             -- opt-out flags; 0: nothing said
	doc     TEXT    NOT NULL              -- all that is known, as JSON
) STRICT, WITHOUT ROWID;`

// SQLite keeps preferences in a table of an SQLite file.
type SQLite struct{ read, write *sql.DB }

// NewSQLite returns a store over a file that has SQLiteSchema. The transactions of write must begin immediate.
func NewSQLite(read, write *sql.DB) *SQLite { return &SQLite{read, write} }

// row is a document as JSON.
type row struct {
	Flags   int64             `json:"f,omitempty"`
	Own     int64             `json:"of,omitempty"`
	Since   time.Time         `json:"ot,omitzero"`
	Outs    map[int]time.Time `json:"o,omitempty"`
	Ins     map[int]time.Time `json:"i,omitempty"`
	Bounces []time.Time       `json:"b,omitempty"`
	Spam    []time.Time       `json:"s,omitempty"`
	Updated time.Time         `json:"ts"`
}

// Flags implements Store.
func (s *SQLite) Flags(ctx context.Context, addresses []string) (map[string]int64, error) {
	keys := make([]string, len(addresses))
	for i, a := range addresses {
		keys[i] = Key(a)
	}
	list, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("read flags: %w", err)
	}
	rows, err := s.read.QueryContext(ctx,
		`SELECT address, f FROM emails WHERE f != 0 AND address IN (SELECT value FROM json_each(?))`, string(list))
	if err != nil {
		return nil, available(fmt.Errorf("read flags: %w", err))
	}
	defer rows.Close()
	byKey := map[string]int64{}
	for rows.Next() {
		var key string
		var flags int64
		if err := rows.Scan(&key, &flags); err != nil {
			return nil, fmt.Errorf("read flags: %w", err)
		}
		byKey[key] = flags
	}
	if err := rows.Err(); err != nil {
		return nil, available(fmt.Errorf("read flags: %w", err))
	}
	return byAddress(addresses, byKey), nil
}

// About implements Store.
func (s *SQLite) About(ctx context.Context, address string) (About, error) {
	d, err := load(ctx, s.read, Key(address))
	if err != nil {
		return About{}, available(fmt.Errorf("read recipient: %w", err))
	}
	return d.about(), nil
}

// SetFlags implements Store.
func (s *SQLite) SetFlags(ctx context.Context, address string, flags int64, at time.Time) error {
	return s.inTransaction(ctx, "set flags", func(tx *sql.Tx) error {
		return update(ctx, tx, Key(address), func(d *document) bool { return d.setFlags(flags, at) })
	})
}

// Move implements Store. Here copy and removal are one transaction.
func (s *SQLite) Move(ctx context.Context, oldAddress, newAddress string) error {
	from, to := Key(oldAddress), Key(newAddress)
	if from == to {
		return nil
	}
	return s.inTransaction(ctx, "move flags", func(tx *sql.Tx) error {
		old, err := load(ctx, tx, from)
		if err != nil || !old.restricts() {
			return err
		}
		if err := update(ctx, tx, to, func(d *document) bool { return d.take(old) }); err != nil {
			return err
		}
		return update(ctx, tx, from, func(d *document) bool { return d.clear(time.Now()) })
	})
}

// Record implements Store.
func (s *SQLite) Record(ctx context.Context, incidents []Incident) (int, error) {
	lost := 0
	err := s.inTransaction(ctx, "record incidents", func(tx *sql.Tx) error {
		for key, list := range byRecipient(incidents) {
			err := update(ctx, tx, key, func(d *document) bool {
				changed := d.recordAll(list)
				lost += d.lost(list)
				return changed
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return lost, err
}

func (s *SQLite) inTransaction(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	if err := database.InTransaction(ctx, s.write, f); err != nil {
		return available(fmt.Errorf("%s: %w", doing, err))
	}
	return nil
}

// update changes the document of key; one that does not exist is an empty one.
func update(ctx context.Context, tx *sql.Tx, key string, change func(*document) bool) error {
	d, err := load(ctx, tx, key)
	if err != nil || !change(d) {
		return err
	}
	doc, err := json.Marshal(row{d.flags, d.own, d.since, d.outs, d.ins, d.bounces, d.spam, d.updated})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO emails (address, f, doc) VALUES (?, ?, ?)
		ON CONFLICT (address) DO UPDATE SET f = excluded.f, doc = excluded.doc`, key, d.flags, string(doc))
	return err
}

// A reader is a transaction, or the file as it is now.
type reader interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func load(ctx context.Context, from reader, key string) (*document, error) {
	var doc []byte
	err := from.QueryRowContext(ctx, `SELECT doc FROM emails WHERE address = ?`, key).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return &document{}, nil
	}
	if err != nil {
		return nil, err
	}
	var r row
	if err := json.Unmarshal(doc, &r); err != nil {
		return nil, fmt.Errorf("%w: stored preferences: %w", database.ErrDocument, err)
	}
	return &document{r.Flags, r.Own, r.Since, r.Outs, r.Ins, r.Bounces, r.Spam, r.Updated}, nil
}
