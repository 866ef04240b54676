package stats

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

// SQLiteRecipients adds the recipient's key to a file that has SQLiteSchema. The indexes follow when it is filled in.
const SQLiteRecipients = `ALTER TABLE records ADD COLUMN rk TEXT NOT NULL DEFAULT '';`

// sqliteRecipientIndexes cost records with other recipients nothing.
const sqliteRecipientIndexes = `
CREATE INDEX IF NOT EXISTS records_key_last ON records (rk, uid, tc, id) WHERE rk != '';
CREATE INDEX IF NOT EXISTS records_key ON records (rk, tc, id) WHERE rk != '';`

// fillRecipients gives records that an older version wrote their rk, in the order of their ids, and makes the indexes.
// It may be killed at any point: the next start goes on.
func (s *SQLite) fillRecipients(ctx context.Context) error {
	var isComplete bool
	err := s.read.QueryRowContext(ctx, `SELECT count(*) > 0 FROM sqlite_master WHERE name = 'records_key'`).Scan(&isComplete)
	if err != nil {
		return err
	}
	last := ""
	if isComplete {
		last = string(idOf(time.Now().Add(-keyRecent)))
	}
	for {
		page, err := s.withoutKey(ctx, last)
		if err != nil {
			return err
		}
		if err := s.setKeys(ctx, page); err != nil {
			return err
		}
		if len(page) < keyPage {
			break
		}
		last = page[len(page)-1].id
	}
	return database.InTransaction(ctx, s.write, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, sqliteRecipientIndexes)
		return err
	})
}

type recipientRow struct{ id, recipient string }

// withoutKey returns the next records after last that may need an rk.
func (s *SQLite) withoutKey(ctx context.Context, last string) ([]recipientRow, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, r FROM records
		WHERE id > ? AND rk = '' AND r GLOB '*[^' || char(1) || '-@[-' || char(127) || ']*' ORDER BY id LIMIT ?`, last, keyPage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []recipientRow
	for rows.Next() {
		var r recipientRow
		if err := rows.Scan(&r.id, &r.recipient); err != nil {
			return nil, err
		}
		page = append(page, r)
	}
	return page, rows.Err()
}

func (s *SQLite) setKeys(ctx context.Context, page []recipientRow) error {
	return database.InTransaction(ctx, s.write, func(tx *sql.Tx) error {
		for _, r := range page {
			key := recipientKey(r.recipient)
			if key == "" {
				continue
			}
			if _, err := tx.ExecContext(ctx, `UPDATE records SET rk = ? WHERE id = ?`, key, r.id); err != nil {
				return fmt.Errorf("fill in keys: %w", err)
			}
		}
		return nil
	})
}

// A condition is one on a single value.
type condition struct{ where, value string }

// byRecipient are the conditions that find the records of a recipient together; one record may meet two of them.
func byRecipient(recipient string) []condition {
	found := []condition{{`rk != '' AND rk = ?`, job.Key(recipient)}}
	for _, spelling := range job.Spellings(recipient) {
		found = append(found, condition{`r = ?`, spelling})
	}
	return found
}
