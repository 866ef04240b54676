package sendcontrol

import (
	"fmt"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
)

// What it takes to tell whose fault refusals are.
const (
	// doubtAfter is how many emails in a row are refused, with none accepted in between, before the account is in doubt.
	// While one email in five is refused for its own sake, such a row comes once in ten million emails.
	doubtAfter = 10
	// crowd is how many senders are refused in a row before those not yet refused wait for trials, too.
	crowd = 50
	// convicted is how many emails of a sender, or with an answer, are refused again after others were accepted, until
	// further acceptances make that sender, or that answer, the emails' own fault.
	convicted = 3
	// tolerated is how often an email is refused before it is at fault by itself.
	tolerated = 5

	firstRefusal = 500 * time.Millisecond
	maxRefusal   = 5 * time.Minute

	maxRefusals = 10_000 // emails remembered
	maxCauses   = 1000   // senders and answers remembered
)

// evidence is what refusals and acceptances say about the account, senders and emails.
//
// An acceptance vouches for the account as of the time its POST began: a refusal whose POST began before is not the
// account's.
type evidence struct {
	accept   time.Time // the latest beginning of a POST that was accepted
	refusals map[job.ID]*refusal
	senders  map[string]*cause
	answers  map[string]*cause

	// Since the account was last vouched for:
	emails    map[job.ID]struct{} // refused, but those of convicted senders
	doubtful  map[string]struct{} // their senders
	since     time.Time           // when the POST of the first began
	fresh     int                 // emails refused for the first time
	witnesses map[*Turn]struct{}  // in flight when there were enough emails: any may still vouch
	result    sendgrid.Result     // the latest

	foreign map[job.ID]bool // emails that something else than SendGrid took
}

// A refusal is one email's.
type refusal struct {
	n     int       // how often it was refused
	times int       // the same, not counting repetitions that no acceptance lies between
	began time.Time // when the POST of the latest that counts began

	answer string // the key of its answer
}

// A cause is what refused emails have in common.
type cause struct {
	first count // emails refused for the first time
	again count // emails refused again after others were accepted
}

type count struct {
	n     int
	began time.Time // when the POST began that made them enough
}

func newEvidence() evidence {
	return evidence{
		refusals: map[job.ID]*refusal{}, senders: map[string]*cause{}, answers: map[string]*cause{},
		emails: map[job.ID]struct{}{}, doubtful: map[string]struct{}{}, foreign: map[job.ID]bool{},
	}
}

// accepted takes in an acceptance, and reports whether it vouches for the account as of the refusals in doubt.
func (v *evidence) accepted(t *Turn) bool {
	v.accept = latest(v.accept, t.began)
	if was := v.refusals[t.email.ID]; was != nil {
		delete(v.answers, was.answer) // it was not the email's fault
	}
	v.forget(t.email)
	delete(v.senders, t.email.sender())
	if len(v.emails) > 0 && t.began.Before(v.since) {
		return false
	}
	v.fresh = 0
	v.clearDoubt()
	return true
}

func (v *evidence) clearDoubt() {
	clear(v.emails)
	clear(v.doubtful)
	v.witnesses = nil
}

func (v *evidence) forget(e Email) {
	delete(v.refusals, e.ID)
	delete(v.foreign, e.ID)
}

func (v *evidence) inDoubt(sender string) bool {
	_, doubtful := v.doubtful[sender]
	return doubtful || v.crowded()
}

func (v *evidence) crowded() bool { return len(v.doubtful) >= crowd }

// refused takes in a refusal, and reports whether it is the email's own.
func (v *evidence) refused(t *Turn, r sendgrid.Result) (own bool, n int) {
	if len(v.refusals) >= maxRefusals {
		clear(v.refusals)
	}
	one := v.refusals[t.email.ID]
	if one == nil {
		one = &refusal{}
		v.refusals[t.email.ID] = one
	}
	sender, answer := find(v.senders, t.email.sender()), find(v.answers, answerKey(r))
	if one.n++; one.n == 1 {
		sender.first.add(t)
		answer.first.add(t)
	}
	suspect := sender.first.enough(v.accept) || answer.first.enough(v.accept)
	if one.n == 1 && !suspect {
		v.fresh++
	}
	if one.times == 0 || v.accept.After(one.began) {
		one.times++
		one.began, one.answer = t.began, answerKey(r)
		if one.times == 2 { // a first refusal may have been the account's, for a moment
			sender.again.add(t)
			answer.again.add(t)
		}
	}
	switch {
	case one.n >= 2 && (sender.convicted(v.accept) || answer.convicted(v.accept)):
		own = true
	case one.n >= tolerated:
		own = one.times >= convicted || one.times >= 2 && v.fresh == 0 || suspect
	}
	if one.times == 1 && !sender.convicted(v.accept) {
		v.doubt(t, r)
	}
	return own, one.n
}

// doubt counts an email that was refused since the account was last vouched for.
func (v *evidence) doubt(t *Turn, r sendgrid.Result) {
	if len(v.emails) == 0 {
		v.since = t.began
	}
	v.emails[t.email.ID], v.doubtful[t.email.sender()] = struct{}{}, struct{}{}
	v.result = r
}

func find(causes map[string]*cause, key string) *cause {
	if causes[key] == nil {
		if len(causes) >= maxCauses {
			clear(causes)
		}
		causes[key] = &cause{}
	}
	return causes[key]
}

func (c *count) add(t *Turn) {
	if c.n++; c.n == convicted {
		c.began = t.began
	}
}

// enough reports whether others were accepted after enough emails had been refused.
func (c *count) enough(accept time.Time) bool { return c.n >= convicted && accept.After(c.began) }

func (c *cause) convicted(accept time.Time) bool { return c.again.enough(accept) }

// answerKey is the same for answers that differ in nothing but numbers.
func answerKey(r sendgrid.Result) string {
	return fmt.Sprint(r.Status, strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return '#'
		}
		return c
	}, r.Reason()))
}

// refusedLocked decides about a refused email.
func (c *Control) refusedLocked(now time.Time, t *Turn, r sendgrid.Result) Verdict {
	own, n := c.evidence.refused(t, r)
	if c.breaker.open == closed && own {
		c.evidence.forget(t.email)
		return Verdict{Outcome: sendgrid.Rejected}
	}
	if c.breaker.open == refused {
		c.openLocked(now, refused, t, r)
		return Verdict{Outcome: sendgrid.Refused, Delay: c.holdLocked(now, t.email)}
	}
	c.opts.Log.Warn().Int("status", r.Status).Str("reason", r.Reason()).Str("job_id", string(t.email.ID)).Int("times", n).
		Msg("an email is refused, will retry")
	return Verdict{Outcome: sendgrid.Refused, Delay: growing(firstRefusal, n, maxRefusal)}
}

// ripenLocked opens the breaker once enough emails are refused and nothing in flight can vouch for the account any more.
func (c *Control) ripenLocked(now time.Time) {
	v := &c.evidence
	if c.breaker.open != closed || len(v.emails) < doubtAfter {
		return
	}
	if v.witnesses == nil {
		v.witnesses = map[*Turn]struct{}{}
		for t := range c.turns {
			if t.posted {
				v.witnesses[t] = struct{}{}
			}
		}
	}
	if len(v.witnesses) > 0 && len(v.emails) < doubtAfter+4*c.opts.Concurrency {
		return
	}
	clear(v.answers) // these refusals are the account's
	clear(v.senders)
	c.openLocked(now, refused, &Turn{}, v.result)
}

// foreignLocked takes in an answer that says success and is not SendGrid's: nobody knows what took the email. It reports
// whether that is the email's own oddity: it got such an answer before, and others are accepted.
func (c *Control) foreignLocked(now time.Time, t *Turn, r sendgrid.Result) (final bool) {
	v := &c.evidence
	again := v.foreign[t.email.ID]
	if len(v.foreign) >= maxRefusals {
		clear(v.foreign)
	}
	v.foreign[t.email.ID] = true
	if v.accept.After(t.began) {
		return again
	}
	v.doubt(t, r)
	c.openLocked(now, refused, t, r)
	return again
}
