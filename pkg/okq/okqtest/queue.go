package okqtest

import (
	"bufio"
	"slices"
	"time"
)

// queue is one queue of the original: a list of IDs, a list of claimed IDs, and locks beside them that end by themselves.
type queue struct {
	ready     []string // the last is the front
	claimed   []string
	contents  map[string]string
	locks     map[string]time.Time
	consumers int
}

func newQueue(consumers int) *queue {
	return &queue{contents: map[string]string{}, locks: map[string]time.Time{}, consumers: consumers}
}

func (q *queue) peek(w *bufio.Writer, front bool) {
	if len(q.ready) == 0 {
		writeNil(w)
		return
	}
	id := q.ready[0]
	if front {
		id = q.ready[len(q.ready)-1]
	}
	writeEvent(w, id, q.contents[id])
}

// pop leases the front event, or forgets it when the lease is 0. A lock that is still there is kept: the original sets
// it only if there is none, so that an event that was given back by REDO has the rest of its old lease.
func (q *queue) pop(lease time.Duration) (id, contents string) {
	id = q.ready[len(q.ready)-1]
	q.ready = q.ready[:len(q.ready)-1]
	contents = q.contents[id]
	if lease == 0 {
		delete(q.contents, id)
		return id, contents
	}
	q.claimed = append(q.claimed, id)
	if now := time.Now(); !q.locks[id].After(now) {
		q.locks[id] = now.Add(lease)
	}
	return id, contents
}

// ack removes an event, leased or waiting, or with redo puts a leased one back to the front and leaves its lock.
func (q *queue) ack(id string, redo bool) bool {
	n := slices.Index(q.claimed, id)
	if n >= 0 {
		q.claimed = slices.Delete(q.claimed, n, n+1)
	}
	if redo {
		if n >= 0 {
			q.ready = append(q.ready, id)
		}
		return n >= 0
	}
	if n < 0 {
		n = slices.Index(q.ready, id)
		if n < 0 {
			return false
		}
		q.ready = slices.Delete(q.ready, n, n+1)
	}
	delete(q.contents, id)
	delete(q.locks, id)
	return true
}

// expire gives back up to n events whose lock is gone.
func (q *queue) expire(n int) {
	now := time.Now()
	var still []string
	for i, id := range q.claimed {
		if i < n && !q.locks[id].After(now) {
			q.ready = append(q.ready, id)
			continue
		}
		still = append(still, id)
	}
	q.claimed = still
}

func (s *Original) scan(stop chan struct{}) {
	ticker := time.NewTicker(s.ScanEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		s.mu.Lock()
		for _, q := range s.queues {
			q.expire(s.ScanBatch)
		}
		s.mu.Unlock()
	}
}
