package local

import (
	"cmp"
	"context"
	"strconv"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// Scan implements engine.Engine, in the order in which the events were pushed: the cursor is the serial of the last
// that was told.
func (e *Engine) Scan(ctx context.Context, queue, cursor string, count int) (ids [][]byte, next string, err error) {
	after, err := strconv.ParseUint(cursor, 10, 64)
	if err != nil {
		return nil, "", engine.ErrCursor
	}
	e.mu.Lock()
	if q := e.queues[queue]; q != nil {
		ids, next = q.pushed.page(serial(after), count)
	}
	newest := e.newest
	e.mu.Unlock()
	if err := e.wait(ctx, newest); err != nil {
		return nil, "", err
	}
	return ids, cmp.Or(next, "0"), nil
}
