package worker

import (
	"math/rand/v2"
	"time"

	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
)

type breaker struct {
	open     bool
	away     bool      // it opened because SendGrid gave no answer, and not because it refuses the account
	failures int       // of probes, and the one it opened for
	retry    time.Time // when the next probe may go
	probing  bool      // and one is on its way
	culprit  job.ID    // whom the latest failure was about
}

const (
	// SendGrid is away when so many recipients in a row, one after the other, cannot be sent to for want of an answer:
	// fewer will do if that has lasted for a while. One recipient alone is nobody's outage.
	awayAfter, awayAfterLong = 20, 5
	awayLong                 = time.Minute
	// maxAway is the longest pause between two probes then; it may be back any moment.
	maxAway = time.Minute
	// maxRefused is the longest pause between two probes of an account that is refused: somebody has to mend that.
	maxRefused = 5 * time.Minute
)

// report has the gate learn from what became of a mail.
func (g *gate) report(id job.ID, to string, r sendgrid.Result, probe bool) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch r.Outcome {
	case sendgrid.Accepted, sendgrid.Rejected: // either way SendGrid dealt with the mail
		clear(g.unanswered)
		if r.Outcome == sendgrid.Accepted {
			g.accepted, g.limits = now, 0
		}
		if probe {
			g.closeBreakerLocked()
		}
	case sendgrid.Refused:
		clear(g.unanswered)
		g.tripLocked(now, id, r, probe, false)
	case sendgrid.Limited:
		clear(g.unanswered)
		g.limitLocked(now, r)
		g.unprobeLocked(now, probe)
	default:
		if g.unansweredLocked(now, to) {
			g.tripLocked(now, id, r, probe, true)
			return
		}
		g.unprobeLocked(now, probe)
	}
}

// unansweredLocked counts one more recipient, and tells whether SendGrid is away.
func (g *gate) unansweredLocked(now time.Time, to string) bool {
	if len(g.unanswered) == 0 {
		g.answered = now
	}
	if len(g.unanswered) < awayAfter {
		g.unanswered[to] = struct{}{}
	}
	n := len(g.unanswered)
	return n >= awayAfter || n >= awayAfterLong && now.Sub(g.answered) >= awayLong
}

// away tells whether SendGrid is taken to be away: then a mail that it does not have is not at fault.
func (g *gate) away() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.breaker.open && g.breaker.away
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

// tripLocked opens the breaker, or has the next probe wait for longer.
func (g *gate) tripLocked(now time.Time, id job.ID, r sendgrid.Result, probe, away bool) {
	b := &g.breaker
	if b.open && !probe {
		return // it was on its way when the breaker opened
	}
	b.open, b.away, b.probing, b.culprit = true, away, false, id
	b.failures++
	b.retry = now.Add(growing(b.failures, b.longest()))
	g.m.breaker.Set(1)
	what := "SendGrid refuses the account"
	if away {
		what = "SendGrid gives no answer"
	}
	g.log.Error().Int("status", r.Status).Str("reason", r.Reason()).Time("until", b.retry).
		Msg(what + ", sending stops until a probe gets through")
	g.wakeLocked()
}

// unprobeLocked ends a probe that proved nothing.
func (g *gate) unprobeLocked(now time.Time, probe bool) {
	if !probe {
		return
	}
	g.breaker.probing = false
	g.breaker.retry = now.Add(growing(g.breaker.failures, g.breaker.longest()))
	g.wakeLocked()
}

func (b *breaker) longest() time.Duration {
	if b.away {
		return maxAway
	}
	return maxRefused
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

// A passage is one mail's way through the gate. A probe must end in a report, or the gate would wait for it for ever:
// abandon is that end when there was none.
type passage struct {
	gate     *gate
	id       job.ID
	to       string
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
	p.gate.report(p.id, p.to, r, p.probe)
}

func (p *passage) abandon() {
	if !p.reported {
		p.gate.mu.Lock()
		defer p.gate.mu.Unlock()
		p.gate.unprobeLocked(time.Now(), p.probe)
	}
}
