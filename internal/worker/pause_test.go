package worker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/sendcontrol"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func (r *rig) mails(n int, to string) []*job.Email {
	mails := make([]*job.Email, n)
	for i := range mails {
		mails[i] = r.mail(to)
	}
	return mails
}

func TestRateLimitPausesAllSendersAndSpendsNoAttempts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	limited := faults.Next(faults.TooMany, 3)
	limited.ResetAfter = faults.Duration(time.Second)
	if err := r.sendgrid.SetFaults(limited); err != nil {
		t.Fatal(err)
	}
	mails := r.mails(100, "a@example.com")
	r.enqueue(mails...)
	r.start()
	r.eventually("a pause", func() bool { return r.sendgrid.Counters().Faults["429"] > 0 })
	r.eventually("the senders are back", func() bool { return r.worker.gate.handEmpty() })
	for _, e := range mails {
		rec := r.ends(e, stats.Accepted)
		r.accepted(e, 1)
		if rec.Spent() != 1 {
			t.Errorf("%d attempts were spent, want 1 of %d", rec.Spent(), rec.Attempts)
		}
	}
	if n := r.total(job.QueueEmailDead); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

func TestBadKeyCostsNoMailAnAttempt(t *testing.T) {
	t.Parallel()
	for _, fault := range []faults.Fault{faults.WrongKey, faults.NoCredits, faults.Blocked} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if err := r.sendgrid.SetFaults(faults.Always(fault)); err != nil {
				t.Fatal(err)
			}
			mails := r.mails(400, "a@example.com")
			r.enqueue(mails...)
			r.start()
			r.eventually("the breaker is open", func() bool { state, _ := r.worker.control.State(); return state == sendcontrol.Refused })
			before := r.sendgrid.Counters().Requests
			if most := int64(4 * r.cfg.Concurrency); before > most {
				t.Errorf("%d requests with a bad key until the breaker opened, want at most %d", before, most)
			}
			r.someTrials()
			r.sendgrid.ClearFaults()
			for _, e := range mails {
				rec := r.ends(e, stats.Accepted)
				r.accepted(e, 1)
				if rec.Spent() != 1 {
					t.Errorf("%d attempts were spent, want 1 of %d", rec.Spent(), rec.Attempts)
				}
			}
			if n := r.total(job.QueueEmailDead); n != 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

// someTrials waits until the pauses between trials have grown.
func (r *rig) someTrials() {
	r.Helper()
	r.eventually("some trials", func() bool { _, until := r.worker.control.State(); return time.Until(until) > 1500*time.Millisecond })
}

// An outage is longer than all attempts of a mail together, and no mail dies of it.
func TestSendGridAwayCostsNoMailItsAttempts(t *testing.T) {
	t.Parallel()
	for _, fault := range []faults.Fault{faults.Unavailable, faults.Reset} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(r *rig) { r.cfg.MaxAttempts = 2 })
			if err := r.sendgrid.SetFaults(faults.Always(fault)); err != nil {
				t.Fatal(err)
			}
			var mails []*job.Email
			for i := range 100 {
				mails = append(mails, r.mail(fmt.Sprintf("a%d@example.com", i)))
			}
			r.enqueue(mails...)
			r.start()
			r.someTrials()
			if n := r.sendgrid.Counters().Requests; n > int64(r.cfg.Concurrency)+30 {
				t.Errorf("%d requests to a SendGrid that is away: after some, only one trial at a time may go", n)
			}
			r.sendgrid.ClearFaults()
			for _, e := range mails {
				r.ends(e, stats.Accepted)
				r.accepted(e, 1)
			}
			if n := r.total(job.QueueEmailDead); n != 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

// ends2 waits for the state alone.
func (r *rig) ends2(e *job.Email, state stats.State) (rec *stats.Record) {
	r.Helper()
	r.eventually("mail is "+string(state), func() bool {
		rec = r.record(e.ID)
		return rec != nil && rec.Outcome() == state
	})
	return rec
}

func TestRateIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.cfg.Rate = 20 })
	mails := r.mails(41, "a@example.com")
	r.enqueue(mails...)
	start := time.Now()
	r.start()
	for _, e := range mails {
		r.ends2(e, stats.Accepted)
	}
	if took := time.Since(start); took < 2*time.Second {
		t.Errorf("41 mails took %v at 20/s", took)
	}
}

// Emails that SendGrid refuses as if the account were at fault, while it takes all others, end as dead letters with its
// words, and hold nobody.
func TestRefusedEmailsHoldNoOthers(t *testing.T) {
	t.Parallel()
	refuse := func(status int, message string, html bool) faults.Rule {
		return faults.Rule{Fault: faults.Refuse, Probability: 1, Status: status, Message: message, HTML: html}
	}
	for name, tc := range map[string]struct {
		rule     faults.Rule
		bad, all int
		bySender bool
	}{
		"a sender, two emails first": {refuse(403, "You are not authorized to send from that email address", false), 2, 52, true},
		"a sender, one in five":      {refuse(403, "You are not authorized to send from that email address", false), 50, 250, true},
		"a sender as HTML":           {refuse(403, "403 Forbidden", true), 50, 250, true},
		"a sender as a wrong key":    {refuse(401, "The provided authorization grant is invalid, expired, or revoked", false), 50, 250, true},
		"a sender as a route":        {refuse(404, "404 Not Found", true), 50, 250, true},
		"a recipient, one in 60":     {refuse(403, "access forbidden", false), 4, 250, false},
		"a recipient, one in five":   {refuse(401, "Maximum credits exceeded", false), 50, 250, false},
		"a recipient, a fifth first": {refuse(403, "access forbidden", false), 50, 250, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			slow := faults.Rule{Fault: faults.Latency, Probability: 1, Delay: faults.Duration(30 * time.Millisecond)}
			tc.rule.To = "bad@example.com"
			if tc.bySender {
				tc.rule.To, tc.rule.From = "", "bad@example.org"
			}
			if err := r.sendgrid.SetFaults(tc.rule, slow); err != nil { // refusals are faster than acceptances
				t.Fatal(err)
			}
			r.start()
			first := strings.Contains(name, "first")
			var good, bad []*job.Email
			began := time.Now()
			for i := range tc.all {
				if first && i < tc.bad || !first && i%(tc.all/tc.bad) == 0 && len(bad) < tc.bad {
					bad = append(bad, r.mail("bad@example.com", func(e *job.Email) { e.From = "bad@example.org" }))
					if !tc.bySender {
						bad[len(bad)-1].From = "shop@example.org"
					}
					r.enqueue(bad[len(bad)-1])
					continue
				}
				good = append(good, r.mail("a@example.com"))
				r.enqueue(good[len(good)-1])
			}
			for _, e := range good {
				r.ends2(e, stats.Accepted)
			}
			took := time.Since(began)
			t.Logf("the good took %v", took)
			if took > 40*time.Second { // they used to wait without end; most of it is the enqueueing
				t.Errorf("the good took %v", took)
			}
			r.eventually("the bad are dead letters", func() bool {
				r.enqueue(r.mail("later@example.com")) // there is always somebody else
				time.Sleep(20 * time.Millisecond)
				return r.total(job.QueueEmailDead) == len(bad)
			})
			letter := r.deadLetter(job.QueueEmailDead)
			if letter.Reason != job.ReasonRejected || !strings.Contains(letter.Detail, tc.rule.Message) {
				t.Errorf("letter %+v", letter)
			}
			t.Logf("the last of the bad was a dead letter after %v", time.Since(began))
		})
	}
}

// An answer of success that is not SendGrid's is told, and no email gets it again and again.
func TestSuccessThatIsNotSendGridsIsNotResent(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.cfg.MaxAttempts = 12 })
	if err := r.sendgrid.SetFaults(faults.Rule{Fault: faults.Refuse, Probability: 1, Status: 204}); err != nil {
		t.Fatal(err)
	}
	r.start()
	e := r.mail("a@example.com")
	r.enqueue(e)
	r.eventually("the breaker is open", func() bool { state, _ := r.worker.control.State(); return state == sendcontrol.Refused })
	r.eventually("the outcome is unknown", func() bool { rec := r.record(e.ID); return rec != nil && rec.State == stats.Unknown })
	time.Sleep(10 * r.cfg.EvidenceWait)
	if n := r.sendgrid.Counters().Requests; n != 1 {
		t.Errorf("the one email was posted %d times", n)
	}
	r.sendgrid.ClearFaults()
	other := r.mail("b@example.com")
	r.enqueue(other)
	r.ends2(other, stats.Accepted)
	r.ends(e, stats.Accepted)
}
