package worker

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
)

// A gate stops all sending of the process while sending is no use, for one of three reasons:
//
//	outage    a store does not answer: until it does
//	limit     SendGrid answered 429: until the time it named, else for a growing pause
//	breaker   SendGrid refused the account: until a single mail, the probe, gets through after a growing pause
//
// Mails in hand wait at it, and nothing more is popped, so that no mail spends attempts or deliveries on others' faults.
type gate struct {
	log zerolog.Logger
	m   *metrics

	mu       sync.Mutex    // protects the fields below
	changed  chan struct{} // closed, and made anew, when a waiter should look again
	outages  int           // calls to stores that are being repeated
	limit    time.Time     // the limit's end
	limits   int           // limits in a row
	breaker  breaker
	accepted time.Time // when SendGrid last took a mail
	hand     int       // mails in hand
	grudges  map[job.ID]grudge
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

type breaker struct {
	open     bool
	failures int       // refusals since it opened, one for each probe
	retry    time.Time // when the next probe may go
	probing  bool      // and one is on its way
}

func newGate(log zerolog.Logger, m *metrics) *gate {
	return &gate{log: log.With().Str("component", "gate").Logger(), m: m, changed: make(chan struct{}), grudges: map[job.ID]grudge{}}
}

// wait returns once mails may pass, or ctx ended. With the breaker open that is when a probe may: see pass.
func (g *gate) wait(ctx context.Context) error {
	return g.until(ctx, func(now time.Time) (time.Time, bool) { return g.shutLocked(now) })
}

// waitPop returns once mails may be popped. With the breaker open they may only when none is in hand to be the probe.
func (g *gate) waitPop(ctx context.Context) error {
	return g.until(ctx, func(now time.Time) (time.Time, bool) {
		if g.breaker.open && g.hand > 0 {
			return time.Time{}, true
		}
		return g.shutLocked(now)
	})
}

// waitStore returns once no store is away: events need nothing else.
func (g *gate) waitStore(ctx context.Context) error {
	return g.until(ctx, func(time.Time) (time.Time, bool) { return time.Time{}, g.outages > 0 })
}

// shutLocked tells whether the gate is shut, and when that may end by itself; zero when something has to happen.
func (g *gate) shutLocked(now time.Time) (end time.Time, shut bool) {
	switch {
	case g.outages > 0 || g.breaker.open && g.breaker.probing:
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

// pass tells whether a mail may go now. While the breaker is open one may, as the probe, once it is time.
func (g *gate) pass() (open, probe bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, shut := g.shutLocked(time.Now()); shut {
		return false, false
	}
	if g.breaker.open {
		g.breaker.probing = true
		return true, true
	}
	return true, false
}

// blame tells whether a refusal is the mail's own fault after all: SendGrid takes others, and refuses whenever it gets
// this one.
func (g *gate) blame(id job.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.grudges) >= maxGrudges {
		clear(g.grudges)
	}
	old := g.grudges[id]
	if old.times == 0 || g.accepted.After(old.last) {
		old.times++
	}
	old.last = time.Now()
	g.grudges[id] = old
	return old.times > tolerated
}

// hold counts the mails in hand.
func (g *gate) hold(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hand += n
	g.m.inHand.Set(float64(g.hand))
	if g.hand == 0 {
		g.wakeLocked()
	}
}

func (g *gate) wakeLocked() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// storeAway and storeBack come in pairs, one for each call that is being repeated.
func (g *gate) storeAway(what string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.outages++; g.outages == 1 {
		g.log.Error().Err(err).Msg("cannot " + what + ", sending stops until the store answers")
		g.m.storeAway.Set(1)
	}
}

func (g *gate) storeBack() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.outages--; g.outages == 0 {
		g.log.Info().Msg("the store answers again")
		g.m.storeAway.Set(0)
		g.wakeLocked()
	}
}

// report has the gate learn from what became of a mail.
func (g *gate) report(r sendgrid.Result, probe bool) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch r.Outcome {
	case sendgrid.Accepted, sendgrid.Rejected: // either way SendGrid dealt with the mail
		if r.Outcome == sendgrid.Accepted {
			g.accepted, g.limits = now, 0
		}
		if probe {
			g.closeBreakerLocked()
		}
	case sendgrid.Refused:
		g.tripLocked(now, r, probe)
	case sendgrid.Limited:
		g.limitLocked(now, r)
		g.unprobeLocked(now, probe)
	default:
		g.unprobeLocked(now, probe)
	}
}

// limitLocked begins a pause, unless the mails that were on their way when it began are only telling the same.
func (g *gate) limitLocked(now time.Time, r sendgrid.Result) {
	if now.Before(g.limit) && !r.Until.After(g.limit) {
		return
	}
	g.limits++
	g.m.pauses.Inc()
	until := r.Until
	if until.IsZero() {
		until = now.Add(growing(g.limits, time.Minute))
	}
	// Not all processes that share the key should come back in the same instant.
	g.limit = until.Add(rand.N(250 * time.Millisecond))
	g.log.Warn().Time("until", g.limit).Msg("rate limited by SendGrid, sending pauses")
}

func (g *gate) tripLocked(now time.Time, r sendgrid.Result, probe bool) {
	b := &g.breaker
	if b.open && !probe {
		return // it was on its way when the breaker opened
	}
	b.open, b.probing = true, false
	b.failures++
	b.retry = now.Add(growing(b.failures, 5*time.Minute))
	g.m.breaker.Set(1)
	g.log.Error().Int("status", r.Status).Str("reason", r.Reason()).Time("until", b.retry).
		Msg("SendGrid refuses the account, sending stops until a probe gets through")
	g.wakeLocked()
}

// unprobeLocked ends a probe that proved nothing.
func (g *gate) unprobeLocked(now time.Time, probe bool) {
	if !probe {
		return
	}
	g.breaker.probing = false
	g.breaker.retry = now.Add(growing(g.breaker.failures, 5*time.Minute))
	g.wakeLocked()
}

func (g *gate) closeBreakerLocked() {
	g.breaker = breaker{}
	g.m.breaker.Set(0)
	g.log.Info().Msg("SendGrid takes mails again")
	g.wakeLocked()
}

// growing is a pause of a second that doubles with each failure, with jitter, up to most.
func growing(failures int, most time.Duration) time.Duration {
	d := min(time.Second<<min(failures-1, 20), most)
	return d/2 + rand.N(d/2)
}

// A passage is one mail's way through the gate. A probe must end in a report, or the gate would wait for it for ever:
// abandon is that end when there was none.
type passage struct {
	gate     *gate
	probe    bool
	reported bool
}

// stillOpen tells whether the gate has not been shut since the mail passed.
func (p *passage) stillOpen() bool {
	if p.probe {
		return true
	}
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	_, shut := p.gate.shutLocked(time.Now())
	return !shut && !p.gate.breaker.open
}

func (p *passage) report(r sendgrid.Result) {
	p.reported = true
	p.gate.report(r, p.probe)
}

func (p *passage) abandon() {
	if !p.reported {
		p.gate.report(sendgrid.Result{}, p.probe)
	}
}
