package heartbeat

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// SQLiteSchema makes the table of an SQLite store.
const SQLiteSchema = `
CREATE TABLE workers (
	worker TEXT    NOT NULL PRIMARY KEY,
	at     INTEGER NOT NULL, -- unix milliseconds
	ended  INTEGER NOT NULL,
	beat   TEXT    NOT NULL  -- as JSON
) STRICT, WITHOUT ROWID;`

// SQLite keeps beats in a table of an SQLite file.
type SQLite struct{ read, write *sql.DB }

// NewSQLite returns a store over a file that has SQLiteSchema.
func NewSQLite(read, write *sql.DB) *SQLite { return &SQLite{read, write} }

// Beat implements Store. It also clears away those of workers that ended long ago, killed ones too.
func (s *SQLite) Beat(ctx context.Context, b Beat) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	_, err = s.write.ExecContext(ctx, `INSERT OR REPLACE INTO workers (worker, at, ended, beat) VALUES (?, ?, ?, ?)`, b.Worker, b.At.UnixMilli(), b.Ended, string(text))
	if err == nil {
		_, err = s.write.ExecContext(ctx, `DELETE FROM workers WHERE at < ?`, b.At.Add(-kept).UnixMilli())
	}
	if err != nil {
		return fmt.Errorf("write heartbeat: %w", err)
	}
	return nil
}

// Since implements Store.
func (s *SQLite) Since(ctx context.Context, t time.Time) ([]Beat, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT beat FROM workers WHERE at >= ? AND NOT ended ORDER BY worker`, t.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read heartbeats: %w", err)
	}
	defer rows.Close()
	var beats []Beat
	for rows.Next() {
		var text string
		var b Beat
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("read heartbeats: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &b); err != nil {
			return nil, fmt.Errorf("read heartbeats: %w", err)
		}
		beats = append(beats, b)
	}
	return beats, rows.Err()
}
