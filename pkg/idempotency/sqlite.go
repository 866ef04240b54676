package idempotency

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

// SQLiteSchema makes the table of an SQLite store.
const SQLiteSchema = `
CREATE TABLE idempotency (
	key       TEXT    NOT NULL PRIMARY KEY,
	id        TEXT    NOT NULL, -- of the mail
	print     BLOB    NOT NULL, -- its fingerprint
	made      INTEGER NOT NULL, -- unix milliseconds
	confirmed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_made ON idempotency (made);`

// swept is how many expired keys a claim clears away: more than the one it adds, so that they do not gather.
const swept = 4

// SQLite keeps keys in a table of an SQLite file.
type SQLite struct{ read, write *sql.DB }

// NewSQLite returns a store over a file that has SQLiteSchema. The transactions of write must begin immediate.
func NewSQLite(read, write *sql.DB) *SQLite { return &SQLite{read, write} }

// Claim implements Store. Most calls with a key that stands find it without writing.
func (s *SQLite) Claim(ctx context.Context, key string, c Claim) (Claim, error) {
	expired := c.Made.Add(-Lifetime).UnixMilli()
	got, err := standing(s.read.QueryRowContext(ctx, selectStanding, key, expired))
	if err == nil {
		return got, nil
	}
	err = database.InTransaction(ctx, s.write, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM idempotency WHERE key IN
			(SELECT key FROM idempotency WHERE made <= ? ORDER BY made LIMIT ?)`, expired, swept); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO idempotency (key, id, print, made, confirmed) VALUES (?, ?, ?, ?, 0)
			ON CONFLICT (key) DO UPDATE SET id = excluded.id, print = excluded.print, made = excluded.made, confirmed = 0
			WHERE made <= ?`, key, string(c.ID), c.Fingerprint, c.Made.UnixMilli(), expired); err != nil {
			return err
		}
		got, err = standing(tx.QueryRowContext(ctx, selectStanding, key, expired))
		return err
	})
	if err != nil {
		return Claim{}, available(fmt.Errorf("claim idempotency key: %w", err))
	}
	return got, nil
}

const selectStanding = `SELECT id, print, made, confirmed FROM idempotency WHERE key = ? AND made > ?`

func standing(row *sql.Row) (Claim, error) {
	var (
		c    Claim
		made int64
	)
	if err := row.Scan(&c.ID, &c.Fingerprint, &made, &c.Confirmed); err != nil {
		return Claim{}, err
	}
	c.Made = time.UnixMilli(made)
	return c, nil
}

// Confirm implements Store.
func (s *SQLite) Confirm(ctx context.Context, key string, id job.ID) error {
	_, err := s.write.ExecContext(ctx, `UPDATE idempotency SET confirmed = 1 WHERE key = ? AND id = ?`, key, string(id))
	if err != nil {
		return available(fmt.Errorf("confirm idempotency key: %w", err))
	}
	return nil
}
