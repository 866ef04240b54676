package local

import (
	"context"
	"errors"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// transferLocked moves an event to another queue, or to another id.
func (e *Engine) transferLocked(x *execution, op *engine.Op) bool {
	x.told = true
	ev := e.eventLocked(op)
	if ev == nil || !ev.leasedUnder(op.Token) {
		return true
	}
	if to := e.queues[string(op.To)]; to != nil && to.events[string(op.NewID)] != nil {
		op.Err = engine.ErrDuplicate
		return true
	}
	e.supersedeLocked(x, ev, op, &event{id: string(op.NewID), queue: e.queueLocked(op.To)})
	return true
}

// transferKept moves an event with its contents. They are read before, without the lock: if they are another event's by
// then, again.
func (e *Engine) transferKept(ctx context.Context, op *engine.Op) {
	for {
		ev, contents, err := e.contentsOf(ctx, op)
		if err != nil {
			op.Err = err
			return
		}
		x := new(execution)
		e.mu.Lock()
		if e.filling.isLate() {
			e.mu.Unlock()
			op.Err = errLate
			return
		}
		x.now = e.now()
		e.advanceLocked(x.now)
		same := e.eventLocked(op) == ev
		if same {
			op.Contents = contents
			e.transferLocked(x, op)
		}
		newest := e.newest
		e.mu.Unlock()
		if !same {
			continue
		}
		if err := e.wait(ctx, newest); err != nil {
			op.Result = engine.Result{Err: err}
		}
		return
	}
}

// contentsOf reads the contents of the event that op is about; nil if there is none.
func (e *Engine) contentsOf(ctx context.Context, op *engine.Op) (*event, []byte, error) {
	for {
		e.mu.Lock()
		ev := e.eventLocked(op)
		e.mu.Unlock()
		if ev == nil {
			return nil, nil, nil
		}
		rec, err := e.readMoved(ctx, taken{ev: ev, recordSize: ev.recordSize})
		if !errors.Is(err, errGone) {
			return ev, rec.contents, err
		}
	}
}

func (e *Engine) removeLocked(x *execution, op *engine.Op) bool {
	x.told = true
	if ev := e.eventLocked(op); ev != nil && ev.state != leased {
		op.OK = true
		e.detachLocked(ev)
		e.dropLocked(ev)
	}
	return true
}

// replaceLocked gives an event other contents. It goes on counting its deliveries, and one that was delivered before
// stays at the front.
func (e *Engine) replaceLocked(x *execution, op *engine.Op) bool {
	x.told = true
	if ev := e.eventLocked(op); ev != nil && ev.state != leased {
		e.supersedeLocked(x, ev, op, &event{
			id: ev.id, queue: ev.queue, deliveries: ev.deliveries, leases: ev.leases, front: ev.deliveries > 0,
		})
	}
	return true
}

// eventLocked is the event that op is about; nil if there is none.
func (e *Engine) eventLocked(op *engine.Op) *event {
	q := e.queues[string(op.Queue)]
	if q == nil {
		return nil
	}
	ev := q.events[string(op.ID)]
	if ev == nil || ev.state == taking {
		return nil
	}
	return ev
}

// supersedeLocked makes old gone and puts ev into its queue, with op's contents and delay. A crash leaves one
// of the two: their records are in the log together or not at all.
func (e *Engine) supersedeLocked(x *execution, old *event, op *engine.Op, ev *event) {
	if !e.space.take(len(op.Contents) + len(ev.id) + recordOverhead) {
		op.Err = engine.ErrDiskFull
		e.releaseLocked(ev.queue)
		e.tidyLocked()
		return
	}
	op.OK = true
	x.forget(old)
	ev.order = e.orderLocked(ev.front)
	ev.serial, ev.size = serial(e.counter), uint32(len(op.Contents))
	e.detachLocked(old)
	old.queue.remove(old)
	ev.queue.add(ev)
	if op.Delay > 0 {
		ev.state, ev.at = delayed, x.now+int64(op.Delay)
		ev.queue.delayed++
		e.scheduleLocked(ev)
	} else {
		ev.queue.link(ev, x.now)
		e.wakeLocked(ev.queue)
	}
	e.rewriteLocked(old, ev, op.Contents, x.now, op.Delay)
	old.state = gone
	e.releaseLocked(old.queue)
}

// rewriteLocked writes down that old is gone and that ev has come in its place.
func (e *Engine) rewriteLocked(old, ev *event, contents []byte, now int64, span time.Duration) {
	rec := eventRecord{
		serial: ev.serial, pushed: e.wall(now, now), queue: []byte(ev.queue.name), id: []byte(ev.id), contents: contents,
	}
	size := rec.size()
	at, room := e.batchLocked().Append(goneSize+size+stateSize, 3)
	putGone(room, old.serial)
	rec.put(room[goneSize : goneSize+size])
	e.stateLocked(ev, now, span).put(room[goneSize+size:])
	e.live -= old.footprint()
	e.journal.Drop(old.record)
	ev.record, ev.recordSize = at+goneSize, uint32(size)
	e.live += ev.footprint()
	e.journal.Keep(ev.record)
}
