package local

import (
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// queue is one queue's events and consumers. The engine's lock protects it.
type queue struct {
	name   string
	events map[string]*event // all that are not gone, by id
	pushed pushOrder         // the same

	// The ready events: pops take from the head of front, then from the head of back. Two lists, because within each
	// the events became ready in order (in front the newest first), which gives the oldest without a search.
	front, back chain
	ready       int
	delayed     int

	consumers int
	waiters   waiters
}

func newQueue(name string) *queue {
	return &queue{name: name, events: make(map[string]*event)}
}

func (q *queue) add(ev *event) {
	q.events[ev.id] = ev
	q.pushed.add(ev)
}

func (q *queue) remove(ev *event) {
	delete(q.events, ev.id)
	q.pushed.remove(ev)
}

// next is the event that a pop takes.
func (q *queue) next() *event {
	if q.front.head != nil {
		return q.front.head
	}
	return q.back.head
}

// last is the event at the other end.
func (q *queue) last() *event {
	if q.back.tail != nil {
		return q.back.tail
	}
	return q.front.tail
}

// link makes ev ready, at the end that it belongs to.
func (q *queue) link(ev *event, now int64) {
	ev.state, ev.at = ready, now
	if ev.front {
		q.front.pushHead(ev)
	} else {
		q.back.pushTail(ev)
	}
	q.ready++
}

func (q *queue) unlink(ev *event) {
	if ev.front {
		q.front.remove(ev)
	} else {
		q.back.remove(ev)
	}
	q.ready--
}

// leased counts the events that are neither ready nor delayed.
func (q *queue) leased() int { return len(q.events) - q.ready - q.delayed }

// idle means that nothing would be lost with the queue.
func (q *queue) idle() bool { return len(q.events) == 0 && q.consumers == 0 && q.waiters.empty() }

func (q *queue) row(now int64) engine.Row {
	row := engine.Row{Queue: q.name, Ready: q.ready, Leased: q.leased(), Delayed: q.delayed, Consumers: q.consumers}
	oldest := now
	if ev := q.front.tail; ev != nil {
		oldest = min(oldest, ev.at)
	}
	if ev := q.back.head; ev != nil {
		oldest = min(oldest, ev.at)
	}
	row.OldestReady = time.Duration(now - oldest)
	return row
}
