package local

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// readContents completes the results that tell of events. It holds no lock; an event may go meanwhile, by a QFLUSH or
// an ack of its id, and is then left out.
func (e *Engine) readContents(x *execution) {
	arena := make([]byte, 0, x.size)
	for _, t := range x.taken {
		contents, closer, err := e.contents(t.ev.serial)
		if err != nil {
			e.unreadable(t, err)
			continue
		}
		begin := len(arena)
		arena = append(append(arena, t.ev.id...), contents...)
		closer()
		id := begin + len(t.ev.id)
		t.op.Events = append(t.op.Events, engine.Event{
			ID: arena[begin:id:id], Contents: arena[id:len(arena):len(arena)], Deliveries: int(t.deliveries),
		})
		t.op.Err = nil
	}
}

// contents are valid until the closer is called.
func (e *Engine) contents(n serial) ([]byte, func() error, error) {
	key := recordKey(eventPrefix, n)
	value, closer, err := e.db.Get(key[:])
	if err != nil {
		return nil, nil, err
	}
	rec, err := parseEvent(value)
	if err != nil {
		return nil, nil, errors.Join(err, closer.Close())
	}
	return rec.contents, closer.Close, nil
}

// unreadable deals with an event whose contents cannot be had: gone by now, or damaged.
func (e *Engine) unreadable(t taken, err error) {
	e.mu.Lock()
	isGone := t.ev.state == gone
	if t.ev.state == taking {
		t.ev.front = true // it must not get lost unseen
		e.readyLocked(t.ev, e.now())
	}
	e.mu.Unlock()
	if isGone && errors.Is(err, pebble.ErrNotFound) {
		return
	}
	e.log.Error().Err(err).Str("queue", t.ev.queue.name).Str("event_id", t.ev.id).Msg("event unreadable")
	if len(t.op.Events) == 0 {
		t.op.Err = fmt.Errorf("read event %q: %w", t.ev.id, err)
	}
}

// finishTaken makes the events of pops without a lease gone, now that their contents are read.
func (e *Engine) finishTaken(x *execution) *commit {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range x.taken {
		if t.ev.state == taking {
			e.dropLocked(t.ev)
		}
	}
	return e.newest
}
