package prefs

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

// Flags implements Store. Only for recipients that have something under another spelling are documents read as a whole.
func (s *SQLite) Flags(ctx context.Context, addresses []string) (map[string]int64, error) {
	byKey, spelled, err := s.flags(ctx, addresses)
	if err == nil && len(spelled) > 0 {
		err = s.mergedFlags(ctx, spelled, byKey)
	}
	if err != nil {
		return nil, available(fmt.Errorf("read flags: %w", err))
	}
	return byAddress(addresses, byKey), nil
}

// flags returns what is stored under keys, and the addresses that have something stored under other spellings. (Most files
// have nothing there, and are not searched for it: that took a quarter of the time.)
func (s *SQLite) flags(ctx context.Context, addresses []string) (map[string]int64, []string, error) {
	list, err := json.Marshal(lowerSpellings(addresses))
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT address, f FROM emails WHERE f != 0 AND address IN (SELECT value FROM json_each(?1))
		UNION ALL SELECT e.address, e.f FROM (SELECT 1 WHERE EXISTS (SELECT 1 FROM emails WHERE ck != '')) CROSS JOIN emails AS e
			WHERE e.ck != '' AND e.ck IN (SELECT value FROM json_each(?1))`, string(list))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	byKey := map[string]int64{}
	var spelled []string
	for rows.Next() {
		var address string
		var flags int64
		if err := rows.Scan(&address, &flags); err != nil {
			return nil, nil, err
		}
		if job.Key(address) != address {
			spelled = append(spelled, address)
			continue
		}
		byKey[address] = flags
	}
	return byKey, spelled, rows.Err()
}

// mergedFlags adds the flags of recipients that are stored under several spellings.
func (s *SQLite) mergedFlags(ctx context.Context, addresses []string, byKey map[string]int64) error {
	recipients, err := load(ctx, s.read, addresses)
	if err != nil {
		return err
	}
	for key, r := range recipients {
		if r.flags != 0 {
			byKey[key] = r.flags
		}
	}
	return nil
}

// About implements Store.
func (s *SQLite) About(ctx context.Context, address string) (About, error) {
	recipients, err := load(ctx, s.read, []string{address})
	if err != nil {
		return About{}, available(fmt.Errorf("read recipient: %w", err))
	}
	d := &document{}
	if r := recipients[job.Key(address)]; r != nil {
		d = &r.document
	}
	return d.about(), nil
}

// A row is what all rows of a recipient come to, and the flags of each, by address.
type row struct {
	document
	stored map[string]int64
}

// A reader is a transaction, or the file as it is now.
type reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// load returns the recipients of addresses that have anything stored, by their keys.
func load(ctx context.Context, from reader, addresses []string) (map[string]*row, error) {
	list, err := json.Marshal(lowerSpellings(addresses))
	if err != nil {
		return nil, err
	}
	rows, err := from.QueryContext(ctx, `SELECT address, f, doc, mv FROM emails WHERE address IN (SELECT value FROM json_each(?1))
		UNION SELECT address, f, doc, mv FROM emails WHERE ck != '' AND ck IN (SELECT value FROM json_each(?1))`, string(list))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var parts []part
	recipients := map[string]*row{}
	for rows.Next() {
		p, flags, err := scan(rows)
		if err != nil {
			return nil, err
		}
		key := job.Key(p.id)
		if recipients[key] == nil {
			recipients[key] = &row{stored: map[string]int64{}}
		}
		recipients[key].stored[p.id] = flags
		parts = append(parts, p)
	}
	for key, d := range assemble(parts) {
		recipients[key].document = *d
	}
	return recipients, rows.Err()
}

func scan(rows *sql.Rows) (part, int64, error) {
	var p part
	var flags int64
	var doc, moved []byte
	if err := rows.Scan(&p.id, &flags, &doc, &moved); err != nil {
		return p, 0, err
	}
	var kept state
	if err := json.Unmarshal(doc, &kept); err != nil {
		return p, 0, fmt.Errorf("%w: stored preferences: %w", database.ErrDocument, err)
	}
	p.document = kept.document()
	var keys []movedTo
	if err := json.Unmarshal(moved, &keys); err != nil {
		return p, 0, fmt.Errorf("%w: stored preferences: %w", database.ErrDocument, err)
	}
	p.moved = movedFrom(keys)
	return p, flags, nil
}
