// Package sendcontrol decides when an account's emails may be posted to SendGrid, and whose fault it is when one is not
// taken. A worker asks before each POST and reports after it:
//
//	Acquire ─▶ a Turn ─▶ POST ─▶ Report ─▶ a Verdict: what to do with the email
//	   │
//	   └─▶ none: release the email for a while, or wait
//
// Sending stops for one of three reasons:
//
//	limit      SendGrid answered 429: until the time it named, else for a growing pause
//	refused    it refuses the account (a bad key, no credits) or something else answers in its place
//	away       it gives no answer
//
// For the last two the circuit breaker opens, and trials go after growing pauses, each with another email, until SendGrid
// accepts one. No wording tells a refusal of the account from one of a single email, so only evidence does: while others
// are accepted, a refusal is the email's own, and an email that is refused again and again is rejected. See refusals.go.
package sendcontrol

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/job"
)

// Options are what a Control needs. All are required.
type Options struct {
	Concurrency int // turns at a time, at most
	Log         zerolog.Logger
	Open        prometheus.Gauge   // 1 while the breaker is open
	Pauses      prometheus.Counter // pauses that SendGrid asked for
}

// An Email is what is known of one before it is posted.
type Email struct {
	ID     job.ID
	Sender string
	To     string
}

// A Control is safe for concurrent use.
type Control struct {
	opts Options

	mu       sync.Mutex    // protects the fields below, and those of turns
	changed  chan struct{} // closed, and replaced, when those who wait should look again
	turns    map[*Turn]struct{}
	limit    limit
	breaker  breaker
	silence  silence
	evidence evidence
	stopped  Intervals // in which the limit or the breaker stopped sending
}

// New returns a control that lets everything pass.
func New(opts Options) *Control {
	opts.Log = opts.Log.With().Str("component", "sendcontrol").Logger()
	return &Control{opts: opts, changed: make(chan struct{}), turns: map[*Turn]struct{}{}, evidence: newEvidence()}
}

// Hold returns for how long to release an email that need not ask for a turn now; 0 if it may.
func (c *Control) Hold(e Email) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.breaker.holds() || c.mayTryLocked(now, e) {
		return 0
	}
	return c.holdLocked(now, e)
}

// Acquire returns a turn to post an email, which must be ended. Without one the email is to be released for the time
// returned, or, if that is 0, asked for again once Shut says that sending goes on.
func (c *Control) Acquire(e Email) (*Turn, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	t := &Turn{control: c, email: e, began: now}
	switch {
	case now.Before(c.limit.until):
		return nil, 0
	case c.breaker.open == closed:
	case c.mayTryLocked(now, e):
		t.trial, t.paced = true, c.pacedLocked(e)
		if t.paced {
			c.breaker.trial = t
		} else if c.evidence.inDoubt(e.sender()) {
			c.breaker.early++
		}
	case c.breaker.holds():
		return nil, c.holdLocked(now, e)
	default:
		return nil, 0
	}
	c.turns[t] = struct{}{}
	return t, 0
}

// mayTryLocked reports whether an email may be posted while the breaker is open.
func (c *Control) mayTryLocked(now time.Time, e Email) bool {
	if !c.pacedLocked(e) {
		for t := range c.turns {
			if t.trial && t.email.sender() == e.sender() {
				return false
			}
		}
		return true
	}
	if c.evidence.refusals[e.ID] != nil {
		now = now.Add(-c.breaker.pause()/2 - time.Second) // emails that were not refused yet go first
	}
	return c.breaker.trialDue(now) && !c.evidence.foreign[e.ID]
}

// pacedLocked reports whether an email's trial has to wait for its time. That of a sender that is not in doubt need not,
// and neither need the first ones of emails that were not refused yet: they are how refusals of some senders and emails
// are told from one of the account without holding others.
func (c *Control) pacedLocked(e Email) bool {
	if c.breaker.open == away || c.evidence.crowded() {
		return true
	}
	early := c.breaker.early < maxEarly && c.evidence.refusals[e.ID] == nil && !c.evidence.foreign[e.ID]
	return c.evidence.inDoubt(e.sender()) && !early
}

// holdLocked is a time that ends soon after the next trial is due.
func (c *Control) holdLocked(now time.Time, e Email) time.Duration {
	if !c.pacedLocked(e) { // a trial of this sender is under way
		if c.evidence.inDoubt(e.sender()) {
			return 100*time.Millisecond + rand.N(200*time.Millisecond)
		}
		return 0
	}
	pause := c.breaker.pause()
	return max(c.breaker.retry.Sub(now), 0) + pause/4 + rand.N(pause/2+time.Second)
}

// Changed returns a channel that is closed when Shut and ShutPop may say something else than now.
func (c *Control) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// Shut reports whether no email needs to ask for a turn, and when that may end by itself; the zero time if only a change
// ends it.
func (c *Control) Shut(now time.Time) (until time.Time, shut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(c.limit.until) {
		return c.limit.until, true
	}
	if c.breaker.open == away {
		return c.breaker.untilTrial(now)
	}
	return time.Time{}, false
}

// ShutPop is Shut for emails that are not popped yet. With the breaker open they are popped only to find a trial, and
// only if none of the emails in flight can be it.
func (c *Control) ShutPop(now time.Time, inFlight int) (until time.Time, shut bool) {
	if until, shut = c.Shut(now); shut {
		return until, shut
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.breaker.open == closed || c.breaker.open == refused && !c.evidence.crowded() {
		return time.Time{}, false
	}
	if inFlight > 1 {
		return time.Time{}, true
	}
	return c.breaker.untilTrial(now)
}

// State is what stops sending, for people.
type State int

// The states.
const (
	Sending State = iota
	Limited
	Refused
	Away
)

// toldAfter is for how long all that is posted may be refused before State says so, be it too few for the breaker.
const toldAfter = 3 * time.Second

// State returns what stops sending and until when at least.
func (c *Control) State() (State, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case c.breaker.open == away:
		return Away, c.breaker.retry
	case c.breaker.open == refused:
		return Refused, c.breaker.retry
	case now.Before(c.limit.until):
		return Limited, c.limit.until
	case len(c.evidence.emails) > 0 && now.Sub(c.evidence.since) > toldAfter:
		return Refused, c.breaker.retry
	}
	return Sending, time.Time{}
}

// trialTimeout is well beyond what a trial may take.
const trialTimeout = 5 * time.Minute

// Stuck reports whether a trial that everything waits for was never ended.
func (c *Control) Stuck(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.breaker.trial
	return t != nil && now.Sub(t.began) > trialTimeout
}

// Stopped returns for how long of the time since then sending was stopped, as far as this process has seen.
func (c *Control) Stopped(since time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped.Within(since, time.Now())
}

// sender is the key of the address that an email comes from.
func (e Email) sender() string { return strings.ToLower(e.Sender) }

// changedLocked notes whether sending is stopped, and wakes those who wait.
func (c *Control) changedLocked(now time.Time) {
	if c.breaker.open != closed {
		c.stopped.Begin(now)
		c.opts.Open.Set(1)
	} else {
		c.stopped.End(now)
		c.opts.Open.Set(0)
		if c.limit.until.After(now) {
			c.stopped.Add(now, c.limit.until)
		}
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// growing is a pause that doubles with each failure, with jitter, up to most.
func growing(first time.Duration, failures int, most time.Duration) time.Duration {
	d := min(first<<min(max(failures, 1)-1, 20), most)
	return d/2 + rand.N(d/2)
}
