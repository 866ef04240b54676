package local

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

const (
	// readGap is how much that nobody asked for is read rather than to read twice.
	readGap = 4 << 10
	// readSize is how much is read at once, unless one event is larger.
	readSize = 1 << 20
)

// readContents completes the results that tell of events. It holds no lock; an event may go meanwhile, by a QFLUSH or
// an ack of its id, and is then left out.
func (e *Engine) readContents(ctx context.Context, x *execution) {
	x.makeResults()
	for rest := x.taken; len(rest) > 0; {
		n, size := neighbours(rest)
		begin, b := rest[0].record, x.buffer(size)
		err := e.journal.Read(begin, b)
		for _, t := range rest[:n] {
			var rec eventRecord
			if err == nil {
				at := int(t.record - begin)
				rec, _ = readEvent(b[at:at+int(t.recordSize):at+int(t.recordSize)], t.ev.serial)
			}
			e.tell(ctx, t, rec)
		}
		rest = rest[n:]
	}
}

// makeResults makes room in the results for what was taken.
func (x *execution) makeResults() {
	for rest := x.taken; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].op == rest[0].op {
			n++
		}
		rest[0].op.Events = make([]engine.Event, 0, n)
		rest = rest[n:]
	}
}

// buffer takes so many bytes of the room.
func (x *execution) buffer(size int) []byte {
	used := len(x.room.Buf)
	x.room.Buf = slices.Grow(x.room.Buf, size)[:used+size]
	return x.room.Buf[used:]
}

// neighbours tells how many of the first events are read at once, and how much that is. What is popped together was most
// often pushed one behind the other.
func neighbours(list []taken) (n, size int) {
	begin := list[0].record
	end := begin + journal.Position(list[0].recordSize)
	for n = 1; n < len(list); n++ {
		t := list[n]
		next := t.record + journal.Position(t.recordSize)
		if t.record < end || t.record > end+readGap || next > begin+readSize {
			break
		}
		end = next
	}
	return n, int(end - begin)
}

// tell adds an event to the result that it belongs to. If it could not be read, it is looked for where it is now.
func (e *Engine) tell(ctx context.Context, t taken, rec eventRecord) {
	if rec.serial != t.ev.serial {
		var err error
		if rec, err = e.readMoved(ctx, t); err != nil {
			e.unreadable(t, err)
			return
		}
	}
	ev := engine.Event{ID: rec.id, Contents: rec.contents, Deliveries: int(t.deliveries)}
	if t.op.Kind == engine.Pop && t.op.Lease > 0 {
		var room [64]byte
		ev.Token = string(appendToken(room[:0], t.ev.serial, t.deliveries, t.leases))
	}
	t.op.Events = append(t.op.Events, ev)
	t.op.Err = nil
}

var errGone = errors.New("gone")

// readMoved reads an event that was not where it had been. Cleaning may have moved it, even more than once.
func (e *Engine) readMoved(ctx context.Context, t taken) (eventRecord, error) {
	var failed error
	for {
		e.mu.Lock()
		at, newest, isGone := t.ev.record, e.newest, t.ev.state == gone
		e.mu.Unlock()
		if isGone {
			return eventRecord{}, errGone
		}
		if failed != nil && at == t.record {
			return eventRecord{}, failed
		}
		if err := e.wait(ctx, newest); err != nil {
			return eventRecord{}, err
		}
		b := make([]byte, t.recordSize)
		t.record = at
		var rec eventRecord
		if failed = e.journal.Read(at, b); failed == nil {
			if rec, failed = readEvent(b, t.ev.serial); failed == nil {
				return rec, nil
			}
		}
	}
}

// unreadable deals with an event whose contents cannot be had: gone by now, or damaged.
func (e *Engine) unreadable(t taken, err error) {
	if errors.Is(err, errGone) {
		return
	}
	e.mu.Lock()
	if t.ev.state == taking {
		t.ev.front = true // it must not get lost unseen
		e.readyLocked(t.ev, e.now())
	}
	e.mu.Unlock()
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
