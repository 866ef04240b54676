package stats

import (
	"context"
	"fmt"
	"math"
)

// The condition is that of the partial index, to the letter.
const sqliteUnknown = `st = 'unknown' AND s = 0 AND ev = '{}'`

// Find implements Store.
func (s *SQLite) Find(ctx context.Context, q Query) ([]*Record, error) {
	if q.all() {
		found, err := s.query(ctx, `id < ? ORDER BY id DESC LIMIT ?`, string(q.firstID()), q.Limit)
		return shown(found), err
	}
	if q.Recipient == "" && !q.Unknown {
		found, err := s.query(ctx, `uid = ? ORDER BY r DESC, tc DESC, id DESC LIMIT ?`, q.UniqueID, q.Limit)
		return shown(found), err
	}
	before, id := int64(math.MaxInt64), ""
	if q.Before != nil {
		before, id = q.Before.Created.UnixMilli(), string(q.Before.ID)
	}
	const page = ` AND (tc, id) < (?, ?) ORDER BY tc DESC, id DESC LIMIT ?`
	if q.Unknown {
		found, err := s.query(ctx, sqliteUnknown+page, before, id, q.Limit)
		return shown(found), err
	}
	var all []*entry
	for _, theirs := range byRecipient(q.Recipient) {
		where, args := theirs.where, []any{theirs.value}
		if q.UniqueID != "" {
			where, args = where+` AND uid = ?`, append(args, q.UniqueID)
		}
		found, err := s.query(ctx, where+page, append(args, before, id, q.Limit)...)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return merge(all, q.Limit), nil
}

func (s *SQLite) query(ctx context.Context, where string, args ...any) ([]*entry, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+columns+` FROM records WHERE `+where, args...)
	if err != nil {
		return nil, available(fmt.Errorf("find records: %w", err))
	}
	defer rows.Close()
	var found []*entry
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("find records: %w", err)
		}
		found = append(found, e)
	}
	if err := rows.Err(); err != nil {
		return nil, available(fmt.Errorf("find records: %w", err))
	}
	return found, nil
}

// CountUnknown implements Store.
func (s *SQLite) CountUnknown(ctx context.Context, atMost int) (int, error) {
	var n int
	err := s.read.QueryRowContext(ctx,
		`SELECT count(*) FROM (SELECT 1 FROM records WHERE `+sqliteUnknown+` LIMIT ?)`, atMost).Scan(&n)
	if err != nil {
		return 0, available(fmt.Errorf("count unknown outcomes: %w", err))
	}
	return n, nil
}
