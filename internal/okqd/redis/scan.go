package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// scanned are the keys that a scan goes through: line, ahead, delayed, leased.
const scanned = 4

// Scan implements engine.Engine: one key after the other, one partition after the other. The cursor is the number of
// the key, counted through all partitions, and in it the place in the line, or Redis' own cursor of a set.
func (e *Engine) Scan(ctx context.Context, queue, cursor string, count int) (ids [][]byte, next string, err error) {
	if err := e.members.stillIn(ctx); err != nil {
		return nil, "", err
	}
	last := scanned * e.partitions
	set, at, err := parseCursor(cursor, last)
	if err != nil {
		return nil, "", err
	}
	for set <= last && len(ids) < count {
		look := newCall(queue, (set-1)/scanned)
		look.args = append(look.args, "scan", strconv.Itoa((set-1)%scanned+1), at, strconv.Itoa(count))
		var some [][]byte
		if some, at, err = scanReply(e.script.exec(ctx, []call{look}, 0)[0], (set-1)%scanned == 0); err != nil {
			return nil, "", fmt.Errorf("redis: %w", err)
		}
		ids = append(ids, some...)
		if at == "0" {
			set++
		}
	}
	if set > last {
		return ids, "0", nil
	}
	return ids, strconv.Itoa(set) + "-" + at, nil
}

func parseCursor(cursor string, last int) (set int, at string, err error) {
	if cursor == "0" {
		return 1, "0", nil
	}
	first, at, _ := strings.Cut(cursor, "-")
	set, err = strconv.Atoi(first)
	if _, bad := strconv.ParseUint(at, 10, 64); err != nil || bad != nil || set < 1 || set > last {
		return 0, "", engine.ErrCursor
	}
	return set, at, nil
}

// scanReply reads the op's result, [cursor, [id, number, id, number …]], of the line without the numbers.
func scanReply(a answer, line bool) (ids [][]byte, at string, err error) {
	if a.err != nil {
		return nil, "", a.err
	}
	if len(a.results) != 1 {
		return nil, "", errReply
	}
	pair, err := a.results[0].ToArray()
	if err != nil || len(pair) != 2 {
		return nil, "", errReply
	}
	if at, err = pair[0].ToString(); err != nil {
		return nil, "", err
	}
	members, err := pair[1].ToArray()
	step := 2
	if line {
		step = 1
	}
	for i := 0; i < len(members) && err == nil; i += step {
		var id []byte
		id, err = members[i].AsBytes()
		ids = append(ids, id)
	}
	return ids, at, err
}
