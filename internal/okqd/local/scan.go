package local

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// scanStride is how many events are looked at before others get the lock.
const scanStride = 4096

// Scan implements engine.Engine, in the order in which the events were pushed: the cursor is the serial of the last
// that was told. Nothing is kept in that order, so each call looks at the whole queue, a stride at a time.
func (e *Engine) Scan(ctx context.Context, queue, cursor string, count int) (ids [][]byte, next string, err error) {
	after, err := strconv.ParseUint(cursor, 10, 64)
	if err != nil {
		return nil, "", engine.ErrCursor
	}
	found, newest := e.lowest(queue, serial(after), count)
	if err := e.wait(ctx, newest); err != nil {
		return nil, "", err
	}
	for _, f := range found {
		ids = append(ids, []byte(f.id))
	}
	next = "0"
	if len(found) == count {
		next = strconv.FormatUint(uint64(found[count-1].serial), 10)
	}
	return ids, next, nil
}

// found is an event that a scan came upon.
type found struct {
	id string
	serial
}

// lowest returns the events of the lowest serials beyond after, count of them at most, in order, and the commit that
// makes them durable.
func (e *Engine) lowest(queue string, after serial, count int) (list []found, newest *commit) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.queues[queue]
	if q == nil {
		return nil, nil
	}
	looked := 0
	for id, ev := range q.events { // which may change while the lock is away: the language says what happens then
		if ev.serial > after && ev.state != taking {
			list = append(list, found{id, ev.serial})
		}
		if len(list) >= 2*count {
			list = cut(list, count)
		}
		if looked++; looked%scanStride == 0 {
			e.mu.Unlock()
			e.mu.Lock()
		}
	}
	return cut(list, count), e.newest
}

func cut(list []found, count int) []found {
	slices.SortFunc(list, func(a, b found) int { return cmp.Compare(a.serial, b.serial) })
	return list[:min(len(list), count)]
}
