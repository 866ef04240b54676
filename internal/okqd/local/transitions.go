package local

import "time"

// recordOverhead is about what a push writes besides id and contents.
const recordOverhead = 100

// leaseLocked leases ev, or again if it is leased already, and writes it down.
func (e *Engine) leaseLocked(ev *event, now int64, lease time.Duration) {
	again := ev.state == leased
	ev.state, ev.at, ev.front = leased, now+int64(lease+leaseSlack), true // it comes back at the front
	if again {
		e.due.moved(ev)
		e.rearmLocked(ev.at)
	} else {
		e.scheduleLocked(ev)
	}
	e.saveLocked(ev, now, metaRecord{span: lease})
}

// readyLocked makes an event ready that was leased or delayed and is out of the heap; front says at which end.
func (e *Engine) readyLocked(ev *event, now int64) {
	order := e.orderLocked(ev.front)
	ev.queue.link(ev, now)
	e.saveLocked(ev, now, metaRecord{order: order})
	e.wakeLocked(ev.queue)
}

// saveLocked writes down ev's state. m has what the event itself does not know.
func (e *Engine) saveLocked(ev *event, now int64, m metaRecord) {
	m.state, m.front, m.deliveries, m.at = ev.state, ev.front, ev.deliveries, e.wall(now, ev.at)
	ev.metas.wrote()
	e.mustBatch(m.put(e.batchLocked(), ev.serial))
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
	e.live -= int64(ev.size)
	delete(ev.queue.events, ev.id)
	e.mustBatch(deleteRecords(e.batchLocked(), ev))
	e.releaseLocked(ev.queue)
}

// scheduleLocked puts ev into the heap.
func (e *Engine) scheduleLocked(ev *event) {
	e.due.push(ev)
	e.rearmLocked(ev.at)
}
