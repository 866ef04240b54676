package local

import "time"

// recordOverhead is about what a push writes besides id and contents.
const recordOverhead = 100

// leaseLocked leases ev, or again if it is leased already, and writes it down.
func (e *Engine) leaseLocked(ev *event, now int64, span time.Duration) {
	again := ev.state == leased
	ev.state, ev.at, ev.front = leased, now+int64(span+leaseSlack), true // it comes back at the front
	ev.order = e.filling.n
	if again {
		e.due.moved(ev)
		e.rearmLocked(ev.at)
	} else {
		ev.leases = nextLease(ev.leases)
		e.scheduleLocked(ev)
	}
	e.saveLocked(ev, now, span)
}

// readyLocked makes an event ready that was leased or delayed and is out of the heap; front says at which end.
func (e *Engine) readyLocked(ev *event, now int64) {
	ev.order = e.orderLocked(ev.front)
	ev.queue.link(ev, now)
	e.saveLocked(ev, now, 0)
	e.wakeLocked(ev.queue)
}

// recordLocked writes down a new event.
func (e *Engine) recordLocked(ev *event, rec *eventRecord) {
	size := rec.size()
	at, room := e.batchLocked().Append(size, 1)
	rec.put(room)
	ev.record, ev.recordSize = at, uint32(size)
	e.live += ev.footprint()
	e.journal.Keep(at)
}

// saveLocked writes down ev's state. span is how long it is to be leased or delayed.
func (e *Engine) saveLocked(ev *event, now int64, span time.Duration) {
	_, room := e.batchLocked().Append(stateSize, 1)
	e.stateLocked(ev, now, span).put(room)
}

func (e *Engine) stateLocked(ev *event, now int64, span time.Duration) stateRecord {
	at := ev.at
	if ev.state == leased {
		at += int64(e.margin.at(now))
	}
	return stateRecord{
		serial: ev.serial, state: ev.state, front: ev.front, leases: ev.leases, deliveries: ev.deliveries,
		order: ev.order, at: e.wall(now, at), span: span,
	}
}

// detachLocked takes ev out of list or heap.
func (e *Engine) detachLocked(ev *event) {
	switch ev.state {
	case ready:
		ev.queue.unlink(ev)
	case delayed:
		ev.queue.delayed--
		e.due.remove(ev)
	case leased:
		e.due.remove(ev)
	}
}

// dropLocked makes a detached event gone.
func (e *Engine) dropLocked(ev *event) {
	ev.state = gone
	e.live -= ev.footprint()
	ev.queue.remove(ev)
	_, room := e.batchLocked().Append(goneSize, 1)
	putGone(room, ev.serial)
	e.journal.Drop(ev.record)
	e.releaseLocked(ev.queue)
}

// scheduleLocked puts ev into the heap.
func (e *Engine) scheduleLocked(ev *event) {
	e.due.push(ev)
	e.rearmLocked(ev.at)
}
