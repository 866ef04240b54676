package sendcontrol

import (
	"time"

	"github.com/levenlabs/postmaster/internal/sendgrid"
)

// opened is why the breaker is open.
type opened int

const (
	closed opened = iota
	refused
	away
)

type breaker struct {
	open     opened
	failures int       // of trials, and the one that it opened for
	retry    time.Time // when the next trial may go
	trial    *Turn     // the one that others wait for
	early    int       // trials that did not wait for their time though their sender is in doubt
}

const (
	maxEarly   = 50
	firstTrial = 500 * time.Millisecond
	// maxAway and maxRefused are the longest pauses between two trials. SendGrid may be back any moment; what an account
	// is refused for, somebody has to put right.
	maxAway    = time.Minute
	maxRefused = 5 * time.Minute
)

// holds reports whether emails that may not go are released, not waited with: they may be what is refused.
func (b *breaker) holds() bool { return b.open == refused }

func (b *breaker) longest() time.Duration {
	if b.open == away {
		return maxAway
	}
	return maxRefused
}

// pause is about the time between two trials.
func (b *breaker) pause() time.Duration {
	return min(firstTrial<<min(max(b.failures, 1)-1, 20), b.longest())
}

func (b *breaker) trialDue(now time.Time) bool { return b.trial == nil && !now.Before(b.retry) }

// untilTrial is when the next trial may go, if it may not now.
func (b *breaker) untilTrial(now time.Time) (until time.Time, shut bool) {
	switch {
	case b.trial != nil:
		return time.Time{}, true
	case now.Before(b.retry):
		return b.retry, true
	}
	return time.Time{}, false
}

// openLocked opens the breaker, or puts the next trial off for longer if t was one.
func (c *Control) openLocked(now time.Time, why opened, t *Turn, r sendgrid.Result) {
	b := &c.breaker
	if b.open == why && !t.paced {
		return // it was in flight when the breaker opened
	}
	if b.open != why {
		b.failures = 0
		c.opts.Log.Error().Int("status", r.Status).Str("reason", r.Reason()).Msg(why.message(r))
	}
	b.open = why
	b.failures++
	b.retry = now.Add(growing(firstTrial, b.failures, b.longest()))
	c.changedLocked(now)
}

func (o opened) message(r sendgrid.Result) string {
	switch {
	case o == away:
		return "SendGrid gives no answer, sending stops until a trial is accepted"
	case r.Status/100 == 2:
		return "the answer is not SendGrid's, check --sendgrid-url; sending stops until a trial is accepted"
	}
	return "SendGrid refuses the account, sending stops until a trial is accepted"
}

// nextTrialLocked makes room for the next trial after one that proved nothing.
func (c *Control) nextTrialLocked(now time.Time, t *Turn) {
	if t.paced && c.breaker.open != closed {
		c.breaker.retry = now.Add(growing(firstTrial, c.breaker.failures, c.breaker.longest()))
		c.changedLocked(now)
	}
}

func (c *Control) closeLocked(now time.Time) {
	c.breaker = breaker{}
	c.opts.Log.Info().Msg("SendGrid accepts emails again")
	c.changedLocked(now)
}
