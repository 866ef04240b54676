package stats

import (
	"context"
	"fmt"
	"time"
)

// Tally implements Store.
func (s *SQLite) Tally(ctx context.Context, from, to time.Time) ([]Tally, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT ef, s, count(*) FROM records
		WHERE id >= ? AND id < ? AND (st = ? OR s != 0 OR ev != '{}') GROUP BY ef, s`, string(idOf(from)), string(idOf(to)), Accepted)
	if err != nil {
		return nil, available(fmt.Errorf("tally mails: %w", err))
	}
	defer rows.Close()
	var all []Tally
	for rows.Next() {
		var t Tally
		if err := rows.Scan(&t.EmailFlags, &t.StateFlags, &t.Mails); err != nil {
			return nil, fmt.Errorf("tally mails: %w", err)
		}
		all = append(all, t)
	}
	if err := rows.Err(); err != nil {
		return nil, available(fmt.Errorf("tally mails: %w", err))
	}
	return all, nil
}
