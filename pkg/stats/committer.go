package stats

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// A Committer is a Store whose Begin and Settle share writes: while one is under way, the calls that come meanwhile
// gather, and the next write is for all of them. Nobody waits for others to come, so a lone call is as fast as without.
//
// A write that others share is not cut short when the context of one of them ends; it has a time of its own.
type Committer struct {
	Store
	begins  group[Attempt, bool]
	settles group[Settlement, struct{}]
}

const (
	// maxShared bounds the items of a shared write, but for a single call's own.
	maxShared = 1000
	// sharedTimeout bounds a shared write.
	sharedTimeout = 15 * time.Second
)

// NewCommitter returns a Committer over store.
func NewCommitter(store Store) *Committer {
	c := &Committer{Store: store}
	c.begins.write = store.Begin
	c.settles.write = func(ctx context.Context, settlements []Settlement) ([]struct{}, error) {
		return make([]struct{}, len(settlements)), store.Settle(ctx, settlements)
	}
	return c
}

// Begin implements Store.
func (c *Committer) Begin(ctx context.Context, attempts []Attempt) ([]bool, error) {
	return c.begins.do(ctx, attempts)
}

// Settle implements Store.
func (c *Committer) Settle(ctx context.Context, settlements []Settlement) error {
	_, err := c.settles.do(ctx, settlements)
	return err
}

// A group turns concurrent calls into shared writes. One of the callers leads: it writes for all that wait, and then
// hands over to one that came meanwhile.
type group[T, R any] struct {
	write func(context.Context, []T) ([]R, error)

	mu      sync.Mutex // protects the fields below
	led     bool       // somebody is writing
	waiting []*call[T, R]
}

// A call ends when its turn says so. Until then it belongs to the group.
type call[T, R any] struct {
	items   []T
	turn    chan bool // true: lead now; false: done, results and err are set
	results []R
	err     error
}

func (g *group[T, R]) do(ctx context.Context, items []T) ([]R, error) {
	if len(items) == 0 {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &call[T, R]{items: items, turn: make(chan bool, 1)}
	if !g.join(c) {
		select {
		case lead := <-c.turn:
			if !lead {
				return c.results, c.err
			}
		case <-ctx.Done():
			if g.leave(c) {
				return nil, ctx.Err()
			}
			if lead := <-c.turn; !lead { // being written
				return c.results, c.err
			}
		}
	}
	g.lead(ctx, c)
	return c.results, c.err
}

// join makes c wait, or tells it to lead.
func (g *group[T, R]) join(c *call[T, R]) (lead bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.led {
		g.led = true
		return true
	}
	g.waiting = append(g.waiting, c)
	return false
}

// leave takes c out and tells whether it was still waiting.
func (g *group[T, R]) leave(c *call[T, R]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, c)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// lead writes for c and for those who wait, and hands over.
func (g *group[T, R]) lead(ctx context.Context, c *call[T, R]) {
	calls := append([]*call[T, R]{c}, g.take(maxShared-len(c.items))...)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedTimeout)
	defer cancel()
	g.writeAll(ctx, calls)
	for _, other := range calls[1:] {
		other.turn <- false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.led = false
		return
	}
	next := g.waiting[0]
	g.waiting = g.waiting[1:]
	next.turn <- true
}

// take removes the calls that have waited longest and no more than room items.
func (g *group[T, R]) take(room int) []*call[T, R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for n < len(g.waiting) && len(g.waiting[n].items) <= room {
		room -= len(g.waiting[n].items)
		n++
	}
	taken := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return taken
}

// writeAll writes the items of calls together. If that is refused for what is in them, each call is tried on its own,
// so that nobody fails for another's.
func (g *group[T, R]) writeAll(ctx context.Context, calls []*call[T, R]) {
	var items []T
	for _, c := range calls {
		items = append(items, c.items...)
	}
	results, err := g.write(ctx, items)
	if err != nil && !errors.Is(err, ErrUnavailable) && len(calls) > 1 {
		for _, c := range calls {
			c.results, c.err = g.write(ctx, c.items)
		}
		return
	}
	for _, c := range calls {
		c.err = err
		if err == nil {
			c.results, results = results[:len(c.items):len(c.items)], results[len(c.items):]
		}
	}
}
