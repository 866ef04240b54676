package sendcontrol

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
)

// A rig drives a control. Each test runs it in a bubble of its own time.
type rig struct {
	*testing.T
	*Control
	n int
}

func bubble(t *testing.T, test func(*rig)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		test(&rig{T: t, Control: New(Options{
			Concurrency: 16, Log: zerolog.Nop(),
			Open: prometheus.NewGauge(prometheus.GaugeOpts{Name: "open"}), Pauses: prometheus.NewCounter(prometheus.CounterOpts{Name: "pauses"}),
		})})
	})
}

var (
	ok      = sendgrid.Result{Outcome: sendgrid.Accepted, Status: 202}
	badKey  = sendgrid.Result{Outcome: sendgrid.Refused, Status: 401, Errors: []job.ProviderError{{Message: "bad key"}}}
	noReply = sendgrid.Result{Outcome: sendgrid.NotSent, Err: errors.New("refused")}
)

func (r *rig) email(sender string) Email {
	r.n++
	return Email{ID: job.ID(fmt.Sprintf("%024d", r.n)), Sender: sender, To: fmt.Sprintf("%d@example.com", r.n)}
}

// begin posts an email, which must be let through.
func (r *rig) begin(e Email) *Turn {
	r.Helper()
	turn, _ := r.Acquire(e)
	if turn == nil {
		r.Fatalf("no turn for %s", e.ID)
	}
	turn.Post()
	return turn
}

// post posts an email and reports, a millisecond later.
func (r *rig) post(e Email, result sendgrid.Result) Verdict {
	r.Helper()
	turn := r.begin(e)
	time.Sleep(time.Millisecond)
	return turn.Report(result)
}

func (r *rig) open() bool { return testutil.ToFloat64(r.opts.Open) == 1 }

// refuseAll has an account refused until its breaker is open and only trials go.
func (r *rig) refuseAll() {
	r.Helper()
	for range 1000 {
		e := r.email("shop@example.org")
		if turn, _ := r.Acquire(e); turn != nil {
			turn.Post()
			turn.Report(badKey)
			continue
		}
		if !r.open() {
			r.Fatal("no turn and yet the breaker is closed")
		}
		return
	}
	r.Fatal("everything goes on being posted")
}

func TestTrialsOfARefusedAccountGrowRareAndTakeOtherEmails(t *testing.T) {
	bubble(t, func(r *rig) {
		r.refuseAll()
		start, last, trials := time.Now(), time.Now(), 0
		var pause time.Duration
		for time.Since(start) < time.Hour {
			e := r.email("shop@example.org")
			turn, delay := r.Acquire(e)
			if turn == nil {
				if delay <= 0 {
					t.Fatal("an email of a refused account is held, not released")
				}
				time.Sleep(100 * time.Millisecond)
				continue
			}
			if other, _ := r.Acquire(r.email("shop@example.org")); other != nil {
				t.Fatal("two trials at a time")
			}
			pause, last = time.Since(last), time.Now()
			if v := turn.Report(badKey); v.Outcome != sendgrid.Refused || v.Delay <= 0 {
				t.Fatalf("verdict %+v", v)
			}
			if r.Hold(e) == 0 {
				t.Fatal("an email is its own next trial")
			}
			trials++
		}
		if trials > 40 || pause < 2*time.Minute || pause > 6*time.Minute {
			t.Errorf("%d trials in an hour, the last after %v", trials, pause)
		}
		time.Sleep(10 * time.Minute)
		if v := r.post(r.email("shop@example.org"), ok); v.Outcome != sendgrid.Accepted || r.open() {
			t.Errorf("verdict %+v, open = %v after an acceptance", v, r.open())
		}
		for range 100 {
			r.begin(r.email("shop@example.org"))
		}
	})
}

// However long an account is refused, and however often in between it is not, no email is at fault.
func TestNoEmailIsRejectedWhileTheAccountIsRefused(t *testing.T) {
	bubble(t, func(r *rig) {
		emails := make([]Email, 30)
		for i := range emails {
			emails[i] = r.email(fmt.Sprintf("shop%d@example.org", i%3))
		}
		r.post(r.email("other@example.org"), ok)
		for range 1000 {
			for _, e := range emails {
				if turn, _ := r.Acquire(e); turn != nil {
					turn.Post()
					if v := turn.Report(badKey); v.Outcome != sendgrid.Refused {
						t.Fatalf("verdict %+v", v)
					}
				}
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// One email alone cannot tell whether it is at fault, or the account since the last acceptance.
func TestALonelyRefusedEmailIsNotRejected(t *testing.T) {
	bubble(t, func(r *rig) {
		r.post(r.email("shop@example.org"), ok)
		e := r.email("shop@example.org")
		for range 50 {
			if v := r.post(e, badKey); v.Outcome != sendgrid.Refused || v.Delay > maxRefusal {
				t.Fatalf("verdict %+v", v)
			}
			time.Sleep(time.Minute)
		}
		if r.open() {
			t.Error("one email opened the breaker")
		}
		for n := 1; ; n++ { // others are accepted now
			r.post(r.email("shop@example.org"), ok)
			if r.post(e, badKey).Outcome == sendgrid.Rejected {
				break
			}
			if n > tolerated {
				t.Fatal("it is never rejected")
			}
		}
	})
}

// Refusals that come faster than acceptances are no row: what is in flight may still be accepted.
func TestSlowAcceptancesAreWaitedFor(t *testing.T) {
	bubble(t, func(r *rig) {
		var good []*Turn
		for range 16 {
			r.post(r.email("shop@example.org"), badKey)
			good = append(good, r.begin(r.email("shop@example.org")))
		}
		if r.open() {
			t.Fatal("the breaker is open while emails are in flight")
		}
		time.Sleep(5 * time.Second)
		for _, turn := range good {
			turn.Report(ok)
		}
		if r.open() {
			t.Error("the breaker is open though emails were accepted")
		}
	})
}

// With nothing else going on after it, a refused email is still told from the account by those accepted before.
func TestRefusedEmailsAreRejectedInAQuietSystem(t *testing.T) {
	bubble(t, func(r *rig) {
		bad := []Email{r.email("bad@example.org"), r.email("bad@example.org")}
		for _, e := range bad {
			r.post(e, badKey)
		}
		for range 50 {
			r.post(r.email("shop@example.org"), ok)
		}
		for _, e := range bad {
			for n := 2; r.post(e, badKey).Outcome != sendgrid.Rejected; n++ {
				if n > tolerated {
					t.Fatal("it is never rejected")
				}
			}
		}
	})
}

// So are those that were refused last, after all acceptances, if there were others like them.
func TestTheLastRefusedEmailsAreRejectedInAQuietSystem(t *testing.T) {
	for name, sender := range map[string]string{"of a sender": "bad@example.org", "with an answer": "shop@example.org"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				var bad []Email
				for i := range 60 {
					if i%5 == 4 {
						bad = append(bad, r.email(sender))
						r.post(bad[len(bad)-1], badKey)
					} else {
						r.post(r.email("shop@example.org"), ok)
					}
				}
				for n := 1; len(bad) > 0; n++ {
					if n > tolerated {
						t.Fatalf("%d emails are never rejected", len(bad))
					}
					time.Sleep(time.Minute)
					bad = slices.DeleteFunc(bad, func(e Email) bool { return r.post(e, badKey).Outcome == sendgrid.Rejected })
				}
			})
		})
	}
}

func TestASenderThatIsRefusedHoldsNoOther(t *testing.T) {
	bubble(t, func(r *rig) {
		for range 100 {
			if turn, _ := r.Acquire(r.email("bad@example.org")); turn != nil {
				turn.Post()
				turn.Report(badKey)
			}
		}
		if !r.open() {
			t.Fatal("the breaker is closed")
		}
		if v := r.post(r.email("good@example.org"), ok); v.Outcome != sendgrid.Accepted || r.open() {
			t.Errorf("verdict %+v, open = %v", v, r.open())
		}
	})
}

func TestAnAccountOfManySendersIsRefusedAfterSome(t *testing.T) {
	bubble(t, func(r *rig) {
		posts := 0
		for i := range 1000 {
			if turn, _ := r.Acquire(r.email(fmt.Sprintf("%d@example.org", i))); turn != nil {
				posts++
				turn.Post()
				turn.Report(badKey)
			}
		}
		if posts > 2*crowd {
			t.Errorf("%d posts to an account that is refused", posts)
		}
		if _, shut := r.ShutPop(time.Now(), 0); !shut {
			t.Error("more is popped, though trials are not due")
		}
	})
}

// A turn that ends without a post, whatever the reason, leaves nothing behind.
func TestATrialThatNeverPostsIsReplaced(t *testing.T) {
	bubble(t, func(r *rig) {
		r.refuseAll()
		time.Sleep(time.Minute)
		for range 3 {
			turn := r.begin(r.email("shop@example.org"))
			turn.End()
			turn.End()
		}
		r.post(r.email("shop@example.org"), ok)
		if r.open() || len(r.turns) != 0 {
			t.Errorf("open = %v, %d turns are left", r.open(), len(r.turns))
		}
	})
}

func TestATrialThatIsNeverEndedIsTold(t *testing.T) {
	bubble(t, func(r *rig) {
		r.refuseAll()
		time.Sleep(time.Minute)
		turn := r.begin(r.email("shop@example.org"))
		if time.Sleep(trialTimeout + time.Second); !r.Stuck(time.Now()) {
			t.Error("nobody sees it")
		}
		if turn.End(); r.Stuck(time.Now()) {
			t.Error("it is still seen after its end")
		}
	})
}

func TestASilentSendGridIsTriedByOneAtATime(t *testing.T) {
	bubble(t, func(r *rig) {
		for range awayAfter - 1 {
			if v := r.post(r.email("shop@example.org"), noReply); v.Stopped || r.open() {
				t.Fatalf("verdict %+v, open = %v", v, r.open())
			}
		}
		if v := r.post(r.email("shop@example.org"), noReply); !v.Stopped || !r.open() {
			t.Fatalf("verdict %+v, open = %v", v, r.open())
		}
		if turn, delay := r.Acquire(r.email("shop@example.org")); turn != nil || delay != 0 {
			t.Errorf("a turn %v, or a release for %v; want to wait", turn, delay)
		}
		until, shut := r.Shut(time.Now())
		if !shut || until.IsZero() {
			t.Fatalf("shut = %v until %v", shut, until)
		}
		time.Sleep(time.Until(until))
		trial := r.begin(r.email("shop@example.org"))
		if _, shut := r.Shut(time.Now()); !shut {
			t.Error("others go beside the trial")
		}
		if trial.Report(ok); r.open() {
			t.Error("the breaker is open after an acceptance")
		}
	})
}

func TestALimitPausesAll(t *testing.T) {
	bubble(t, func(r *rig) {
		e := r.email("shop@example.org")
		late := r.begin(r.email("shop@example.org"))
		end := time.Now().Add(10 * time.Second)
		v := r.post(e, sendgrid.Result{Outcome: sendgrid.Limited, Status: 429, Until: end})
		if v.Outcome != sendgrid.Limited || time.Now().Add(v.Delay).Before(end) {
			t.Errorf("verdict %+v", v)
		}
		if turn, _ := r.Acquire(r.email("shop@example.org")); turn != nil || late.Valid() {
			t.Error("others go on")
		}
		late.End()
		time.Sleep(v.Delay)
		r.post(e, ok)
		if got := r.Stopped(end.Add(-time.Hour)); got < 10*time.Second || got > 11*time.Second {
			t.Errorf("stopped for %v", got)
		}
	})
}

func TestSuccessThatIsNotSendGridsOpensTheBreaker(t *testing.T) {
	bubble(t, func(r *rig) {
		foreign := sendgrid.Result{Outcome: sendgrid.Unknown, Status: 204}
		e := r.email("shop@example.org")
		if v := r.post(e, foreign); v.Outcome != sendgrid.Unknown || v.Final || !r.open() {
			t.Fatalf("verdict %+v, open = %v", v, r.open())
		}
		for range 1000 { // it is nobody's trial
			if turn, _ := r.Acquire(e); turn != nil {
				t.Fatal("it is posted again")
			}
			time.Sleep(time.Minute)
		}
		r.post(r.email("shop@example.org"), ok)
		turn := r.begin(e)
		time.Sleep(time.Millisecond)
		r.post(r.email("shop@example.org"), ok)
		if v := turn.Report(foreign); !v.Final || r.open() {
			t.Errorf("verdict %+v, open = %v; want it to be the email's own", v, r.open())
		}
	})
}

func TestIntervals(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(1_000_000+int64(s), 0) }
	var i Intervals
	i.Begin(at(10))
	i.Begin(at(12))
	i.End(at(20))
	i.End(at(25))
	i.Add(at(15), at(30))
	i.Add(at(40), at(50))
	i.Begin(at(60))
	for _, tc := range []struct{ from, to, want int }{
		{0, 100, 70}, {0, 10, 0}, {0, 15, 5}, {30, 40, 0}, {25, 45, 10}, {70, 80, 10}, {50, 60, 0},
	} {
		if got := i.Within(at(tc.from), at(tc.to)); got != time.Duration(tc.want)*time.Second {
			t.Errorf("within %d..%d: %v, want %d s", tc.from, tc.to, got, tc.want)
		}
	}
	for n := range 2 * maxIntervals {
		i.End(at(100 + 10*n))
		i.Begin(at(105 + 10*n))
	}
	if len(i.list) > maxIntervals {
		t.Errorf("%d intervals are kept", len(i.list))
	}
}

// An account that is refused for a moment, again and again, makes no email, sender or answer the fault of it, though the
// refused emails are retried by other workers.
func TestShortRefusalsOfTheAccountConvictNobody(t *testing.T) {
	bubble(t, func(r *rig) {
		for range 100 {
			for i := range doubtAfter - 1 {
				e := r.email(fmt.Sprintf("shop%d@example.org", i%2))
				for range 3 {
					if v := r.post(e, badKey); v.Outcome != sendgrid.Refused {
						t.Fatalf("verdict %+v", v)
					}
				}
			}
			for range 20 {
				r.post(r.email("main@example.org"), ok)
				time.Sleep(time.Second)
			}
		}
	})
}
