package prefs

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

// SQLiteSchema makes the table of an SQLite store. f is repeated out of doc for people who look into the file.
const SQLiteSchema = `
CREATE TABLE emails (
	address TEXT    NOT NULL PRIMARY KEY, -- Key(address)
	f       INTEGER NOT NULL,             -- opt-out flags; 0: nothing said
	doc     TEXT    NOT NULL              -- all that is known, as JSON
) STRICT, WITHOUT ROWID;`

// SQLiteKeys adds to a file that has SQLiteSchema what is stored under other spellings than job.Key, and where Move
// leads. It is no part of doc, which a 25f7307 that still runs replaces.
const SQLiteKeys = `
ALTER TABLE emails ADD COLUMN ck TEXT NOT NULL DEFAULT '';   -- the key, where it is not the address
ALTER TABLE emails ADD COLUMN mv TEXT NOT NULL DEFAULT '[]'; -- the keys that it was moved to, and when, as JSON
CREATE INDEX emails_ck ON emails (ck) WHERE ck != '';`

// SQLite keeps preferences in a table of an SQLite file.
type SQLite struct{ read, write *sql.DB }

// NewSQLite returns a store over a file that has SQLiteSchema and SQLiteKeys, once everything in it is found by its key.
// The transactions of write must begin immediate.
func NewSQLite(ctx context.Context, read, write *sql.DB) (*SQLite, error) {
	s := &SQLite{read, write}
	if err := s.fillKeys(ctx); err != nil {
		return nil, available(fmt.Errorf("index the addresses stored by an older version: %w", err))
	}
	return s, nil
}

// SetFlags implements Store.
func (s *SQLite) SetFlags(ctx context.Context, address string, flags int64, at time.Time) error {
	return s.inTransaction(ctx, "set flags", func(tx *sql.Tx) error {
		return update(ctx, tx, []string{address}, func(_ string, d *document) bool { return d.setFlags(flags, at) })
	})
}

// Move implements Store. Here all of it is one transaction.
func (s *SQLite) Move(ctx context.Context, oldAddress, newAddress string, at time.Time) error {
	to := job.Key(newAddress)
	if job.Key(oldAddress) == to {
		return nil
	}
	return s.inTransaction(ctx, "move flags", func(tx *sql.Tx) error {
		var old document
		err := update(ctx, tx, []string{oldAddress}, func(_ string, d *document) bool {
			changed := d.moveTo(to, millisecond(at))
			old = *d
			return changed
		})
		if err != nil {
			return err
		}
		return copyTo(ctx, tx, &old, newAddress)
	})
}

// copyTo gives address the opt-outs of old, and those it was moved to in turn.
func copyTo(ctx context.Context, tx *sql.Tx, old *document, address string) error {
	seen := map[string]bool{}
	for next := []string{address}; len(next) > 0; next = next[1:] {
		err := update(ctx, tx, next[:1], func(key string, d *document) bool {
			if seen[key] {
				return false
			}
			seen[key] = true
			next = slices.AppendSeq(next, maps.Keys(d.moved))
			return d.take(old)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Record implements Store.
func (s *SQLite) Record(ctx context.Context, incidents []Incident) (int, error) {
	lost := 0
	err := s.inTransaction(ctx, "record incidents", func(tx *sql.Tx) error {
		spread := newSpread(arrived(incidents, time.Now()))
		for lists := spread.next(); lists != nil; lists = spread.next() {
			err := update(ctx, tx, lists.addresses, func(key string, d *document) bool {
				list := lists.byKey[key]
				changed := d.recordAll(list)
				lost += d.lost(list)
				spread.from(list, d)
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
