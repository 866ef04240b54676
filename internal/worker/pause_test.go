package worker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/sendgrid"
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
			mails := r.mails(100, "a@example.com")
			r.enqueue(mails...)
			r.start()
			r.eventually("some probes", func() bool { return r.worker.gate.failures() >= 3 })
			if n := r.sendgrid.Counters().Requests; n > int64(r.cfg.Concurrency)+4 {
				t.Errorf("%d requests with a bad key: only the first %d may go, and then one probe at a time", n, r.cfg.Concurrency)
			}
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
			r.eventually("some probes", func() bool { return r.worker.gate.failures() >= 4 })
			if n := r.sendgrid.Counters().Requests; n > int64(r.cfg.Concurrency)+awayAfter+4 {
				t.Errorf("%d requests to a SendGrid that is away: after some, only one probe at a time may go", n)
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

func (g *gate) failures() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.breaker.failures
}

// A mail that SendGrid refuses as if the account were at fault, while it takes all others, must not stop them for ever.
func TestOneRefusedMailDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bad := r.mail("blocked403@example.com")
	r.enqueue(bad)
	r.start()
	var mails []*job.Email
	r.eventually("the bad mail is dead", func() bool {
		e := r.mail("a@example.com") // there is always somebody else
		mails = append(mails, e)
		r.enqueue(e)
		return r.total(job.QueueEmailDead) > 0
	})
	if letter := r.deadLetter(job.QueueEmailDead); letter.ID != string(bad.ID) || letter.Reason != job.ReasonAttempts {
		t.Errorf("letter %+v", letter)
	}
	r.empty(job.QueueEmailNormal)
	for _, e := range mails {
		r.accepted(e, 1)
	}
}

// The mails of a batch that are finished are nobody's probe: with the refused one alone left of it, others are popped.
func TestARefusedMailWhoseBatchIsDoneDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good, bad := r.mails(5, "a@example.com"), r.mail("blocked403@example.com")
	r.enqueue(append(good, bad)...)
	r.start()
	for _, e := range good {
		r.ends2(e, stats.Accepted)
	}
	r.eventually("the bad mail is refused, or has been so often that it is blamed", func() bool {
		rec := r.record(bad.ID)
		return r.worker.gate.failures() > 0 || rec != nil && rec.Spent() > 0 && rec.State != stats.Attempting
	})
	late := r.mail("late@example.com")
	r.enqueue(late)
	r.ends2(late, stats.Accepted)
}

// ends2 waits for the state alone.
func (r *rig) ends2(e *job.Email, state stats.State) {
	r.Helper()
	r.eventually("mail is "+string(state), func() bool {
		rec := r.record(e.ID)
		return rec != nil && rec.Outcome() == state
	})
}

func TestProbesGrowRareAndEndWithTheFirstSuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(zerolog.Nop(), newMetrics(prometheus.NewRegistry()))
		refused := sendgrid.Result{Outcome: sendgrid.Refused, Status: 401}
		start := time.Now()
		g.report("m", "a@example.com", refused, false)
		var last time.Duration
		probes := 0
		for time.Since(start) < time.Hour {
			before := time.Now()
			if err := g.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			last = time.Since(before)
			if open, probe := g.pass("m"); !open || !probe {
				t.Fatalf("pass = %v, %v; want the probe", open, probe)
			}
			if open, _ := g.pass("m"); open {
				t.Fatal("two probes at a time")
			}
			g.report("m", "a@example.com", refused, true)
			probes++
		}
		if probes > 40 || last < 2*time.Minute || last > 5*time.Minute {
			t.Errorf("%d probes in an hour, the last after %v", probes, last)
		}
		if err := g.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, probe := g.pass("m")
		g.report("m", "a@example.com", sendgrid.Result{Outcome: sendgrid.Accepted}, probe)
		if open, probe := g.pass("m"); !open || probe {
			t.Errorf("pass = %v, %v after a success; want open to all", open, probe)
		}
	})
}

// The mail that was to be the probe may be gone, expired or cut off: another one must get its turn.
func TestProbeThatNeverReportsIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(zerolog.Nop(), newMetrics(prometheus.NewRegistry()))
		g.report("m", "a@example.com", sendgrid.Result{Outcome: sendgrid.Refused}, false)
		for range 3 {
			if err := g.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, probe := g.pass("m")
			(&passage{gate: g, probe: probe}).abandon()
		}
		if err := g.waitPop(t.Context()); err != nil { // nothing is in hand: one may be popped
			t.Fatal(err)
		}
	})
}

func TestOnlyTheMailsInHandProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(zerolog.Nop(), newMetrics(prometheus.NewRegistry()))
		g.hold(3, 300)
		g.report("m", "a@example.com", sendgrid.Result{Outcome: sendgrid.Refused}, false)
		popped := make(chan error, 1)
		go func() { popped <- g.waitPop(t.Context()) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case <-popped:
			t.Fatal("a pop went through while mails that could probe were in hand")
		default:
		}
		g.hold(-3, -300)
		if err := <-popped; err != nil {
			t.Fatal(err)
		}
	})
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

// If the one mail that opened the breaker were the only one to probe, nobody would ever learn that others are taken.
func TestRefusedMailLeavesTheProbeToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(zerolog.Nop(), newMetrics(prometheus.NewRegistry()))
		g.hold(1, 100)
		g.report("odd", "a@example.com", sendgrid.Result{Outcome: sendgrid.Refused}, false)
		if err := g.waitPop(t.Context()); err != nil { // another is let in, for it
			t.Fatal(err)
		}
		g.hold(1, 100)
		if open, _ := g.pass("odd"); open {
			t.Error("the refused mail is the probe while there is another")
		}
		if open, probe := g.pass("other"); !open || !probe {
			t.Error("the other mail is not let through as the probe")
		}
		g.report("other", "a@example.com", sendgrid.Result{Outcome: sendgrid.Refused}, true)
		if err := g.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.hold(-1, -100)
		if open, probe := g.pass("other"); !open || !probe {
			t.Error("the last mail in hand is not let through as the probe")
		}
	})
}
