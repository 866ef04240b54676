package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// readContents completes the results that tell of events. It holds no lock; an event may go meanwhile, by a QFLUSH or
// an ack of its id, and is then left out.
func (e *Engine) readContents(x *execution) {
	arena := make([]byte, 0, x.size)
	r := reader{db: e.db}
	defer r.close()
	for i, t := range x.taken {
		contents, err := r.contents(t.ev.serial, i+1 < len(x.taken))
		if err != nil {
			e.unreadable(t, err)
			continue
		}
		begin := len(arena)
		arena = append(append(arena, t.ev.id...), contents...)
		id := begin + len(t.ev.id)
		t.op.Events = append(t.op.Events, engine.Event{
			ID: arena[begin:id:id], Contents: arena[id:len(arena):len(arena)], Deliveries: int(t.deliveries),
		})
		t.op.Err = nil
	}
}

// reader reads events, most often one behind the other as they were pushed: it looks beside the last one first, which
// costs a fraction of a search.
type reader struct {
	db     *pebble.DB
	iter   *pebble.Iterator // nil until there is more than one to read
	last   serial           // where iter is
	closer io.Closer        // of what was read without it
}

// contents are valid until the next call. more: there will be one.
func (r *reader) contents(n serial, more bool) ([]byte, error) {
	value, err := r.record(n, more)
	if err != nil {
		return nil, err
	}
	rec, err := parseEvent(value)
	return rec.contents, err
}

func (r *reader) record(n serial, more bool) ([]byte, error) {
	if r.beside(n, more) {
		return r.iter.ValueAndErr()
	}
	r.release()
	key := recordKey(eventPrefix, n)
	value, closer, err := r.db.Get(key[:])
	r.closer = closer
	return value, err
}

// beside moves iter to the event. False: it is not to be found that way.
func (r *reader) beside(n serial, more bool) bool {
	key := recordKey(eventPrefix, n)
	switch {
	case r.iter != nil && n == r.last+1 && r.iter.Next():
	case r.iter == nil && !more:
		return false
	case r.iter == nil:
		iter, err := r.db.NewIter(prefixed(eventPrefix))
		if err != nil {
			return false
		}
		r.iter = iter
		fallthrough
	default:
		r.iter.SeekGE(key[:])
	}
	r.last = n
	return r.iter.Valid() && bytes.Equal(r.iter.Key(), key[:])
}

func (r *reader) release() {
	if r.closer != nil {
		r.closer.Close() //nolint:errcheck // it only gives a buffer back
		r.closer = nil
	}
}

func (r *reader) close() {
	r.release()
	if r.iter != nil {
		r.iter.Close() //nolint:errcheck // what it could not read was told
	}
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
