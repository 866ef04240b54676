package stats

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// Lookup implements Store.
func (s *SQLite) Lookup(ctx context.Context, ids []job.ID) (map[job.ID]*Record, error) {
	if err := checkIDs(ids...); err != nil {
		return nil, fmt.Errorf("look up records: %w", err)
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("look up records: %w", err)
	}
	rows, err := s.read.QueryContext(ctx,
		`SELECT `+columns+` FROM records WHERE id IN (SELECT value FROM json_each(?))`, string(list))
	if err != nil {
		return nil, available(fmt.Errorf("look up records: %w", err))
	}
	defer rows.Close()
	records := make(map[job.ID]*Record, len(ids))
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("look up records: %w", err)
		}
		records[e.ID] = e.shown()
	}
	if err := rows.Err(); err != nil {
		return nil, available(fmt.Errorf("look up records: %w", err))
	}
	return records, nil
}

// Gaps implements Store.
func (s *SQLite) Gaps(ctx context.Context, before time.Time, each func(*Record) error) error {
	rows, err := s.read.QueryContext(ctx,
		`SELECT `+columns+` FROM records WHERE `+silent+` AND ts < ? ORDER BY ts, id`, before.UnixMilli())
	if err != nil {
		return available(fmt.Errorf("find mails without events: %w", err))
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return fmt.Errorf("find mails without events: %w", err)
		}
		if err := each(e.shown()); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return available(fmt.Errorf("find mails without events: %w", err))
	}
	return nil
}

// Last implements Store.
func (s *SQLite) Last(ctx context.Context, recipient, uniqueID string) (*Record, error) {
	var latest *Record
	for _, theirs := range byRecipient(recipient) {
		row := s.read.QueryRowContext(ctx, `SELECT `+columns+` FROM records
			WHERE `+theirs.where+` AND uid = ? AND (st = ? OR s != 0 OR ev != '{}') ORDER BY tc DESC, id DESC LIMIT 1`,
			theirs.value, uniqueID, string(Accepted))
		e, err := scan(row)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, available(fmt.Errorf("find last record: %w", err))
		}
		if latest == nil || e.after(latest) {
			latest = e.shown()
		}
	}
	return latest, nil
}
