package worker

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A group makes few calls of many: what comes while calls are under way, or within a pace after the last one began, goes
// into the next one. So the size of a call follows the load. The pace does too: an item that comes alone waits for nothing,
// however soon it comes after another.
type group[T, R any] struct {
	size, flights int
	pace          func() time.Duration // the least between the beginnings of two calls, now
	call          func(context.Context, []T) ([]R, error)

	mu      sync.Mutex // protects the fields below, and those of members and flights
	waiting []*member[T, R]
	flying  int
	last    time.Time // when the last call began, or is to
	wg      sync.WaitGroup
}

// A member is one item and what became of it.
type member[T, R any] struct {
	item   T
	gone   bool    // nobody waits for it any more
	flight *flight // nil until its call is made
	done   chan struct{}
	result R
	err    error
}

// A flight is a call under way. It ends early when nobody waits for any of its members any more.
type flight struct {
	cancel context.CancelFunc
	live   int
}

// newGroup makes calls of up to size items, up to flights of them at a time. A call gives one result for each item.
func newGroup[T, R any](size, flights int, pace func() time.Duration, call func(context.Context, []T) ([]R, error)) *group[T, R] {
	return &group[T, R]{size: size, flights: flights, pace: pace, call: call}
}

// do has item called for and waits for its result, no longer than ctx. The call may be made all the same after that.
func (g *group[T, R]) do(ctx context.Context, item T) (R, error) {
	m := &member[T, R]{item: item, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, m)
	if g.flying < g.flights {
		g.flying++
		g.wg.Go(g.fly)
	}
	g.mu.Unlock()
	select {
	case <-m.done:
		return m.result, m.err
	case <-ctx.Done():
		g.leave(m)
		var none R
		return none, context.Cause(ctx)
	}
}

func (g *group[T, R]) leave(m *member[T, R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m.gone = true
	if f := m.flight; f != nil {
		if f.live--; f.live == 0 {
			f.cancel()
		}
	}
}

// fly makes calls until nobody waits.
func (g *group[T, R]) fly() {
	for {
		time.Sleep(g.turn())
		ctx, members := g.board()
		if len(members) == 0 {
			return
		}
		items := make([]T, len(members))
		for i, m := range members {
			items[i] = m.item
		}
		results, err := g.call(ctx, items)
		if err != nil && len(members) > 1 && ctx.Err() == nil {
			g.callEach(ctx, members)
		} else {
			for i, m := range members {
				if m.err = err; err == nil {
					m.result = results[i]
				}
			}
		}
		members[0].flight.cancel()
		for _, m := range members {
			close(m.done)
		}
	}
}

// turn takes the next time at which a call may begin, and returns how far off it is.
func (g *group[T, R]) turn() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		return 0
	}
	now := time.Now()
	next := g.last.Add(g.pace())
	if next.Before(now) {
		next = now
	}
	g.last = next
	return next.Sub(now)
}

// board takes those who wait onto a flight; without any, the flight's goroutine is to end.
func (g *group[T, R]) board() (context.Context, []*member[T, R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, func(m *member[T, R]) bool { return m.gone })
	n := min(len(g.waiting), g.size)
	members := slices.Clone(g.waiting[:n])
	g.waiting = g.waiting[n:]
	if n == 0 {
		g.waiting = nil
		g.flying--
		return nil, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &flight{cancel: cancel, live: len(members)}
	for _, m := range members {
		m.flight = f
	}
	return ctx, members
}

// callEach finds the one that the others failed with.
func (g *group[T, R]) callEach(ctx context.Context, members []*member[T, R]) {
	for _, m := range members {
		results, err := g.call(ctx, []T{m.item})
		if m.err = err; err == nil {
			m.result = results[0]
		}
	}
}

// wait returns once no call is under way. No call may be asked for any more.
func (g *group[T, R]) wait() { g.wg.Wait() }
