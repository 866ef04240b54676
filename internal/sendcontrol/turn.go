package sendcontrol

import (
	"time"

	"github.com/levenlabs/postmaster/internal/sendgrid"
)

// A Turn is the right to post one email once. It must be ended: deferring End right after Acquire is enough.
type Turn struct {
	control *Control
	email   Email
	began   time.Time
	trial   bool // while the breaker is open
	paced   bool // a trial that others wait for
	posted  bool
	ended   bool
}

// A Verdict is what to do with an email after its POST.
type Verdict struct {
	// Outcome is the result's own, but Rejected for a refusal that is the email's own fault.
	Outcome sendgrid.Outcome
	// Delay is for how long to release an email that is Limited, Refused or Stopped.
	Delay time.Duration
	// Stopped is set for an email that was surely not sent because SendGrid is away for all: it costs nothing.
	Stopped bool
	// Final is set for an unknown outcome that no further POST would settle.
	Final bool
}

// Valid reports whether the email may still be posted: sending may have stopped since Acquire.
func (t *Turn) Valid() bool {
	t.control.mu.Lock()
	defer t.control.mu.Unlock()
	return t.trial || t.control.breaker.open == closed && !time.Now().Before(t.control.limit.until)
}

// Post notes that the POST begins now.
func (t *Turn) Post() {
	t.control.mu.Lock()
	defer t.control.mu.Unlock()
	t.began, t.posted = time.Now(), true
}

// End ends a turn without a POST, or does nothing after Report.
func (t *Turn) End() {
	c := t.control
	c.mu.Lock()
	defer c.mu.Unlock()
	if !t.ended {
		now := time.Now()
		c.endLocked(t)
		if t.trial {
			c.changedLocked(now) // another may be the trial now
		}
		c.ripenLocked(now)
	}
}

func (c *Control) endLocked(t *Turn) {
	t.ended = true
	delete(c.turns, t)
	if c.breaker.trial == t {
		c.breaker.trial = nil
	}
	delete(c.evidence.witnesses, t)
}

// Report ends a turn with the result of its POST.
func (t *Turn) Report(r sendgrid.Result) Verdict {
	c := t.control
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.endLocked(t)
	v := Verdict{Outcome: r.Outcome}
	switch {
	case r.Outcome == sendgrid.Accepted:
		c.acceptedLocked(now, t)
	case r.Outcome == sendgrid.Refused:
		c.answeredLocked(now)
		v = c.refusedLocked(now, t, r)
	case r.Outcome == sendgrid.Unknown && r.Status/100 == 2:
		c.answeredLocked(now)
		v.Final = c.foreignLocked(now, t, r)
	case r.Outcome == sendgrid.Limited:
		c.answeredLocked(now)
		v.Delay = c.limitLocked(now, r)
		c.nextTrialLocked(now, t)
	case r.Outcome == sendgrid.Rejected:
		c.answeredLocked(now)
		c.evidence.forget(t.email)
		c.nextTrialLocked(now, t)
	default:
		if c.silence.add(now, t.email.To) && (c.breaker.open != refused) {
			c.openLocked(now, away, t, r)
		} else {
			c.nextTrialLocked(now, t)
		}
		if v.Stopped = r.Outcome == sendgrid.NotSent && c.breaker.open == away; v.Stopped {
			v.Delay = c.holdLocked(now, t.email)
		}
	}
	c.ripenLocked(now)
	return v
}

// acceptedLocked: the account is well.
func (c *Control) acceptedLocked(now time.Time, t *Turn) {
	c.silence.clear()
	c.limit.n = 0
	current := c.evidence.accepted(t)
	if c.breaker.open == away || c.breaker.open == refused && (current || t.trial) {
		c.closeLocked(now)
	}
}

// answeredLocked: SendGrid, or what is in its place, is there.
func (c *Control) answeredLocked(now time.Time) {
	c.silence.clear()
	if c.breaker.open == away {
		c.closeLocked(now)
	}
}
