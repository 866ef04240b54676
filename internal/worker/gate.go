package worker

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A gate stops all sending of the process while sending is no use, for one of three reasons:
//
//	outage    a store does not answer: until it does
//	limit     SendGrid answered 429: until the time it named, else for a growing pause
//	breaker   SendGrid refused the account, or is away: until a single mail, the probe, gets through after a growing pause
//
// Mails in hand wait at it, and nothing more is popped, so that no mail spends attempts or deliveries on others' faults.
type gate struct {
	log zerolog.Logger
	m   *metrics

	mu       sync.Mutex           // protects the fields below
	changed  chan struct{}        // closed, and made anew, when a waiter should look again
	outages  map[*outage]struct{} // calls to stores that are being repeated
	limit    time.Time            // the limit's end
	limits   int                  // limits in a row
	breaker  breaker
	accepted time.Time // when SendGrid last took a mail
	hand     int       // mails in hand
	size     int       // of their contents
	grudges  map[job.ID]grudge

	unanswered map[string]struct{} // recipients of attempts in a row without an answer about the mail or the account
	answered   time.Time           // no later than this came the last answer before them
}

// A grudge is against a mail that the account was refused over.
type grudge struct {
	times int // refusals, with other mails taken between any two
	last  time.Time
}

const (
	maxGrudges = 1000
	// tolerated is how many refusals are the account's fault. An account that is refused, mended, and refused again
	// is no reason to blame a mail that happened to be there both times.
	tolerated = 2
)

// maxHand is how many bytes of contents may be in hand when more is popped. What is in hand is some three times that in
// memory, for a mail is decoded and its body is written.
const maxHand = 64 << 20

func newGate(log zerolog.Logger, m *metrics) *gate {
	return &gate{log: log.With().Str("component", "gate").Logger(), m: m, changed: make(chan struct{}), outages: map[*outage]struct{}{}, grudges: map[job.ID]grudge{}, unanswered: map[string]struct{}{}}
}

// wait returns once mails may pass, or ctx ended. With the breaker open that is when a probe may: see pass.
func (g *gate) wait(ctx context.Context) error {
	return g.until(ctx, func(now time.Time) (time.Time, bool) { return g.shutLocked(now) })
}

// waitPop returns once mails may be popped. With the breaker open that is when there is a probe due, and nobody in hand
// to be it but perhaps the mail that was refused last.
func (g *gate) waitPop(ctx context.Context) error {
	return g.until(ctx, func(now time.Time) (time.Time, bool) {
		if g.breaker.open && g.hand > 1 || g.size > maxHand {
			return time.Time{}, true
		}
		return g.shutLocked(now)
	})
}

// waitStore returns once no store is away: events need nothing else.
func (g *gate) waitStore(ctx context.Context) error {
	return g.until(ctx, func(time.Time) (time.Time, bool) { return time.Time{}, len(g.outages) > 0 })
}

// shutLocked tells whether the gate is shut, and when that may end by itself; zero when something has to happen.
func (g *gate) shutLocked(now time.Time) (end time.Time, shut bool) {
	switch {
	case len(g.outages) > 0 || g.breaker.open && g.breaker.probing:
		return time.Time{}, true
	case now.Before(g.limit):
		return g.limit, true
	case g.breaker.open && now.Before(g.breaker.retry):
		return g.breaker.retry, true
	}
	return time.Time{}, false
}

func (g *gate) until(ctx context.Context, shut func(time.Time) (time.Time, bool)) error {
	for {
		g.mu.Lock()
		end, isShut := shut(time.Now())
		changed := g.changed
		g.mu.Unlock()
		if !isShut || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := waitFor(ctx, changed, end); err != nil {
			return err
		}
	}
}

// waitFor waits for a change, for the end if there is one, or for ctx.
func waitFor(ctx context.Context, changed <-chan struct{}, end time.Time) error {
	var over <-chan time.Time
	if !end.IsZero() {
		timer := time.NewTimer(time.Until(end))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-changed:
		return nil
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pass tells whether a mail may go now. While the breaker is open one may, as the probe, once it is time. The mail that
// was refused last leaves that to others: it may be what is refused.
func (g *gate) pass(id job.ID) (open, probe bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, shut := g.shutLocked(time.Now()); shut {
		return false, false
	}
	if !g.breaker.open {
		return true, false
	}
	if id == g.breaker.culprit && g.hand > 1 {
		return false, false
	}
	g.breaker.probing = true
	return true, true
}

// hold counts the mails in hand and the size of their contents.
func (g *gate) hold(n, size int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hand += n
	g.size += size
	g.m.inHand.Set(float64(g.hand))
	if n < 0 && (g.hand <= 1 || g.size-size > maxHand) {
		g.wakeLocked()
	}
}

func (g *gate) wakeLocked() {
	close(g.changed)
	g.changed = make(chan struct{})
}
