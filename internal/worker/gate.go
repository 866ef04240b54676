package worker

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/sendcontrol"
)

// A gate stops the process from popping and sending while that is no use: a store fails, or the account's sending is
// stopped (sendcontrol). Emails in flight wait at it, and nothing more is popped, so that no email spends attempts or
// deliveries on others' faults.
type gate struct {
	log     zerolog.Logger
	m       *metrics
	control *sendcontrol.Control

	mu      sync.Mutex            // protects the fields below
	changed chan struct{}         // closed, and replaced, when a waiter should look again
	outages map[*outage]struct{}  // calls to stores that are being repeated
	failing sendcontrol.Intervals // in which there was any
	hand    int                   // emails in flight
	size    int                   // of their contents
	high    int                   // of the contents of those of high priority
}

// maxHand is how many bytes of contents may be in flight when more is popped. They take some three times that in memory,
// because an email is decoded and its body is written.
const maxHand = 64 << 20

// maxHigh is the same for emails of high priority alone, which do not wait for others to be finished.
const maxHigh = maxHand / 4

func newGate(log zerolog.Logger, m *metrics, control *sendcontrol.Control) *gate {
	return &gate{
		log: log.With().Str("component", "gate").Logger(), m: m, control: control,
		changed: make(chan struct{}), outages: map[*outage]struct{}{},
	}
}

// wait returns once emails in flight may go on, or ctx ended.
func (g *gate) wait(ctx context.Context) error {
	return g.until(ctx, func(now time.Time) (time.Time, bool) {
		if len(g.outages) > 0 {
			return time.Time{}, true
		}
		return g.control.Shut(now)
	})
}

// waitPop returns once emails may be popped.
func (g *gate) waitPop(ctx context.Context) error { return g.waitRoom(ctx, false) }

// waitPopHigh returns once emails of high priority may be popped.
func (g *gate) waitPopHigh(ctx context.Context) error { return g.waitRoom(ctx, true) }

func (g *gate) waitRoom(ctx context.Context, high bool) error {
	return g.until(ctx, func(now time.Time) (time.Time, bool) {
		full := g.size > maxHand
		if high {
			full = g.high > maxHigh
		}
		if len(g.outages) > 0 || full {
			return time.Time{}, true
		}
		return g.control.ShutPop(now, g.hand)
	})
}

// waitStore returns once no store fails: events need nothing else.
func (g *gate) waitStore(ctx context.Context) error {
	return g.until(ctx, func(time.Time) (time.Time, bool) { return time.Time{}, len(g.outages) > 0 })
}

// until waits until shut, which is called under the lock, says no.
func (g *gate) until(ctx context.Context, shut func(time.Time) (time.Time, bool)) error {
	for {
		control := g.control.Changed() // before it is asked
		g.mu.Lock()
		end, isShut := shut(time.Now())
		changed := g.changed
		g.mu.Unlock()
		if !isShut || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := waitFor(ctx, changed, control, end); err != nil {
			return err
		}
	}
}

// waitFor waits for a change of either kind, for the end if there is one, or for ctx.
func waitFor(ctx context.Context, changed, control <-chan struct{}, end time.Time) error {
	var over <-chan time.Time
	if !end.IsZero() {
		timer := time.NewTimer(time.Until(end))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-changed:
		return nil
	case <-control:
		return nil
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// hold counts the emails in flight and the size of their contents, which are all of high priority or none.
func (g *gate) hold(n, size int, high bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hand += n
	g.size += size
	g.m.inHand.Set(float64(g.hand))
	if high {
		g.high += size
	}
	if n < 0 && (g.hand <= 1 || g.size-size > maxHand || high && g.high-size > maxHigh) {
		g.wakeLocked()
	}
}

func (g *gate) wakeLocked() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// stopped returns for how long of the time since then a store failed.
func (g *gate) stopped(since time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failing.Within(since, time.Now())
}
