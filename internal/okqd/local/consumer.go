package local

import (
	"container/list"
	"context"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// consumer implements engine.Consumer.
type consumer struct {
	e      *Engine
	queues []*queue
	next   int // where to look first, so that no queue starves behind a busy one
}

// NewConsumer implements engine.Engine.
func (e *Engine) NewConsumer() engine.Consumer { return &consumer{e: e} }

func (c *consumer) Register(_ context.Context, names []string) error {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	old := c.queues
	c.queues, c.next = nil, 0
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		q := c.e.queueLocked([]byte(name))
		q.consumers++
		c.queues = append(c.queues, q)
	}
	for _, q := range old {
		q.consumers--
		c.e.releaseLocked(q)
	}
	return nil
}

func (c *consumer) Close() { c.Register(context.Background(), nil) } //nolint:errcheck // it returns none

func (c *consumer) Notify(ctx context.Context) (string, error) {
	e := c.e
	e.mu.Lock()
	defer e.mu.Unlock()
	e.advanceLocked(e.now())
	for {
		if name, ok := c.lookLocked(); ok || ctx.Err() != nil {
			return name, nil
		}
		w := newWaiter(c.queues) // IMPORTANT: under the lock of the look, so that no push goes between
		e.mu.Unlock()
		var err error
		select {
		case <-w.woken:
		case <-ctx.Done():
		case <-e.failure.happened:
			err = e.failure.err()
		}
		e.mu.Lock()
		w.leaveLocked()
		if err != nil {
			return "", err
		}
	}
}

// lookLocked returns the next queue that has a ready event.
func (c *consumer) lookLocked() (string, bool) {
	for i := range c.queues {
		at := (c.next + i) % len(c.queues)
		if q := c.queues[at]; q.ready > 0 {
			c.next = at + 1
			return q.name, true
		}
	}
	return "", false
}

// waiters are the consumers that wait for an event of one queue, the longest waiting first.
type waiters struct{ list.List }

func (w *waiters) empty() bool { return w.Len() == 0 }

// waiter is one consumer's wait, for all of its queues.
type waiter struct {
	woken  chan struct{} // 1 buffered
	places []place
}

type place struct {
	queue *queue
	elem  *list.Element
}

func newWaiter(queues []*queue) *waiter {
	w := &waiter{woken: make(chan struct{}, 1), places: make([]place, len(queues))}
	for i, q := range queues {
		w.places[i] = place{q, q.waiters.PushBack(w)}
	}
	return w
}

func (w *waiter) leaveLocked() {
	for _, p := range w.places {
		p.queue.waiters.Remove(p.elem)
	}
	w.places = nil
}

// wakeLocked wakes one of those who wait for q, if there is an event for it: one, so that they do not all rush for the
// same event. Should it not pop, the others are woken one by one after a while, see nudgeLocked; they also are by a
// pop that leaves events behind.
func (e *Engine) wakeLocked(q *queue) {
	if q.ready == 0 || q.waiters.empty() {
		return
	}
	w := q.waiters.Front().Value.(*waiter)
	w.leaveLocked()
	w.woken <- struct{}{}
	if !q.waiters.empty() {
		at := e.now() + int64(nudgeAfter)
		e.nudges[q] = at
		e.rearmLocked(at)
	}
}

// nudgeLocked wakes one more for each queue where an event was left lying.
func (e *Engine) nudgeLocked(now int64) {
	var late []*queue
	for q, at := range e.nudges {
		if at <= now {
			late = append(late, q)
		}
	}
	for _, q := range late {
		delete(e.nudges, q)
		e.wakeLocked(q)
	}
}
