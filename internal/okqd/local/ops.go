package local

import (
	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

func (e *Engine) pushLocked(x *execution, op *engine.Op) bool {
	x.told = true
	if op.NoBlock && e.journal.Filling().Len() > maxFilling {
		op.Err = engine.ErrBusy
		return true
	}
	q := e.queues[string(op.Queue)]
	if q != nil && q.events[string(op.ID)] != nil {
		op.Err = engine.ErrDuplicate
		return true
	}
	if !e.space.take(len(op.Contents) + len(op.ID) + recordOverhead) {
		op.Err = engine.ErrDiskFull
		e.tidyLocked()
		return true
	}
	if q == nil {
		q = e.queueLocked(op.Queue)
	}
	e.counter++
	ev := &event{
		id: string(op.ID), queue: q, serial: serial(e.counter), front: op.Front, size: uint32(len(op.Contents)),
	}
	ev.order = int64(ev.serial)
	if op.Front {
		ev.order = -ev.order
	}
	rec := eventRecord{
		serial: ev.serial, front: op.Front, pushed: e.wall(x.now, x.now), delay: op.Delay,
		queue: op.Queue, id: op.ID, contents: op.Contents,
	}
	q.add(ev)
	if op.Delay > 0 {
		ev.state, ev.at = delayed, x.now+int64(op.Delay)
		rec.due = e.wall(x.now, ev.at)
		q.delayed++
		e.scheduleLocked(ev)
	} else {
		q.link(ev, x.now)
		e.wakeLocked(q)
	}
	e.recordLocked(ev, &rec)
	return true
}

func (e *Engine) peekLocked(x *execution, op *engine.Op) bool {
	q := e.queues[string(op.Queue)]
	if q == nil || q.ready == 0 {
		return true
	}
	ev := q.last()
	if op.Front {
		ev = q.next()
	}
	return x.take(op, ev, ev.deliveries)
}

func (e *Engine) popLocked(x *execution, op *engine.Op) bool {
	q := e.queues[string(op.Queue)]
	for n := 0; q != nil && q.ready > 0 && n < max(op.Count, 1); n++ {
		ev := q.next()
		if !x.take(op, ev, ev.deliveries+1) {
			x.full = true
			return n > 0
		}
		q.unlink(ev)
		ev.deliveries++
		if op.Lease == 0 {
			ev.state = taking
			x.final = true
			continue
		}
		e.leaseLocked(ev, x.now, op.Lease)
		x.leases = append(x.leases, newLease(op, ev))
	}
	if q != nil {
		e.wakeLocked(q) // one wakes the next while events are left
	}
	return true
}

// take notes that op's result needs the event's contents, unless that is more than one Exec may give.
func (x *execution) take(op *engine.Op, ev *event, deliveries uint32) bool {
	if len(x.taken) > 0 && x.size+int(ev.size) > x.room.Budget {
		return false
	}
	x.size += int(ev.size) + len(ev.id)
	x.taken = append(x.taken, taken{op, ev, deliveries, nextLease(ev.leases), ev.record, ev.recordSize})
	x.told = true
	return true
}

func (e *Engine) ackLocked(x *execution, op *engine.Op) bool {
	x.told = true
	q := e.queues[string(op.Queue)]
	if q == nil {
		return true
	}
	ev := q.events[string(op.ID)]
	if ev == nil || ev.state == taking || op.Redo && ev.state != leased || !ev.leasedUnder(op.Token) {
		return true
	}
	op.OK = true
	if op.Redo {
		x.forget(ev)
		e.redoLocked(ev, x.now, op)
		return true
	}
	e.detachLocked(ev)
	e.dropLocked(ev)
	return true
}

func (e *Engine) redoLocked(ev *event, now int64, op *engine.Op) {
	if op.Release {
		ev.deliveries--
	}
	if op.Delay == 0 {
		e.due.remove(ev)
		e.readyLocked(ev, now)
		return
	}
	ev.state, ev.at = delayed, now+int64(op.Delay)
	ev.queue.delayed++
	e.due.moved(ev)
	e.rearmLocked(ev.at)
	e.saveLocked(ev, now, op.Delay)
}

func (e *Engine) touchLocked(x *execution, op *engine.Op) bool {
	x.told = true
	q := e.queues[string(op.Queue)]
	if q == nil {
		return true
	}
	if ev := q.events[string(op.ID)]; ev != nil && ev.state == leased && ev.leasedUnder(op.Token) {
		op.OK = true
		e.leaseLocked(ev, x.now, op.Lease)
		x.leases = append(x.leases, newLease(op, ev))
	}
	return true
}

func (e *Engine) flushLocked(x *execution, op *engine.Op) bool {
	x.told = true
	q := e.queues[string(op.Queue)]
	if q == nil {
		return true
	}
	for _, ev := range q.events {
		e.detachLocked(ev)
		e.dropLocked(ev)
	}
	return true
}

func (e *Engine) statusLocked(x *execution, op *engine.Op) bool {
	if op.Queues == nil {
		for _, q := range e.queues {
			op.Rows = append(op.Rows, q.row(x.now))
		}
		return true
	}
	for _, name := range op.Queues {
		q := e.queues[string(name)]
		if q == nil {
			q = newQueue(string(name)) // as empty as one that is not there
		}
		op.Rows = append(op.Rows, q.row(x.now))
	}
	return true
}
