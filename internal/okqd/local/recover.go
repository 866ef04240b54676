package local

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

// recovery rebuilds memory from the log. It reads the contents too, so that damage is found at start and not when the
// mail is due.
type recovery struct {
	e       *Engine
	now     int64
	nowWall int64
	events  map[serial]*event
}

// recover opens the directory.
func (e *Engine) recover(dir string, fs journal.FS) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	begin := e.clock()
	r := &recovery{e: e, now: e.now(), nowWall: e.machine().UnixMilli(), events: make(map[serial]*event)}
	var err error
	if e.journal, err = journal.Open(journal.Options{Dir: dir, FS: fs, Log: e.log}, r.frame); err != nil {
		return err
	}
	r.place()
	e.log.Info().Int("events", len(r.events)).Int("queues", len(e.queues)).Dur("took_ms", e.clock().Sub(begin)).Msg("queues read")
	return nil
}

// frame takes the records of a frame, in the order in which they were written.
func (r *recovery) frame(at journal.Position, b []byte) error {
	for len(b) > 0 {
		size, err := r.record(at, b)
		if err != nil {
			return err
		}
		at, b = at+journal.Position(size), b[size:]
	}
	return nil
}

func (r *recovery) record(at journal.Position, b []byte) (size int, err error) {
	switch kind(b[0] & kindMask) {
	case kindEvent:
		rec, size, err := parseEvent(b)
		if err != nil {
			return 0, err
		}
		return size, r.event(rec, at, size)
	case kindState:
		m, err := parseState(b)
		if err != nil {
			return 0, err
		}
		r.count(m.serial, m.order)
		if ev := r.events[m.serial]; ev != nil {
			r.apply(ev, m)
		}
		return stateSize, nil
	case kindGone:
		n, err := parseGone(b)
		if err != nil {
			return 0, err
		}
		r.count(n, 0)
		r.gone(n)
		return goneSize, nil
	}
	return 0, fmt.Errorf("%w (%x)", errRecord, b[0])
}

// count makes sure that no serial and no order is given out again.
func (r *recovery) count(n serial, order int64) {
	r.e.counter = max(r.e.counter, int64(n), order, -order)
}

func (r *recovery) event(rec eventRecord, at journal.Position, size int) error {
	r.count(rec.serial, 0)
	if ev := r.events[rec.serial]; ev != nil { // moved
		ev.record = at
		return nil
	}
	q := r.e.queueLocked(rec.queue)
	if q.events[string(rec.id)] != nil {
		return fmt.Errorf("event %d: a second event %q in queue %q", rec.serial, rec.id, rec.queue)
	}
	ev := &event{
		id: string(rec.id), queue: q, serial: rec.serial, record: at, recordSize: uint32(size), size: uint32(len(rec.contents)),
	}
	q.add(ev)
	r.events[ev.serial] = ev
	r.apply(ev, rec.state())
	return nil
}

// apply sets an event's state. A clock that was set back while we were away makes no lease or delay longer than it was
// to be.
func (r *recovery) apply(ev *event, m stateRecord) {
	ev.state, ev.front, ev.leases, ev.deliveries, ev.order = m.state, m.front, m.leases, m.deliveries, m.order
	since := r.now + int64(time.Duration(m.at-r.nowWall)*time.Millisecond)
	if ev.state == ready {
		ev.at = min(since, r.now)
		return
	}
	ev.at = min(since, r.now+int64(m.span+leaseSlack))
}

func (r *recovery) gone(n serial) {
	ev := r.events[n]
	if ev == nil {
		return
	}
	delete(r.events, n)
	ev.queue.remove(ev)
	r.e.releaseLocked(ev.queue)
}

// place puts the events where their states say, now that all are known.
func (r *recovery) place() {
	lists := make(map[*queue][]*event)
	for _, ev := range r.events {
		r.e.live += ev.footprint()
		r.e.journal.Keep(ev.record)
		switch ev.state {
		case ready:
			lists[ev.queue] = append(lists[ev.queue], ev)
			continue
		case delayed:
			ev.queue.delayed++
		}
		r.e.due.push(ev)
	}
	for q, events := range lists {
		link(q, events)
	}
}

// link puts a queue's ready events into its lists.
func link(q *queue, events []*event) {
	slices.SortFunc(events, func(a, b *event) int { return cmp.Compare(a.order, b.order) })
	firstBack, _ := slices.BinarySearchFunc(events, 0, func(ev *event, _ int) int { return cmp.Compare(ev.order, 0) })
	for _, ev := range slices.Backward(events[:firstBack]) {
		ev.front = true
		q.link(ev, ev.at)
	}
	for _, ev := range events[firstBack:] {
		ev.front = false
		q.link(ev, ev.at)
	}
}
