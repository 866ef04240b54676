package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/sendcontrol"
	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// The time of --give-up-after is the email's own: it stands still while nothing is sent, for whatever reason.
func TestTimeInWhichSendingIsStoppedDoesNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newStoreless()
		w.began = time.Now()
		w.pauses = newPauses(nil, zerolog.Nop(), w.m, []string{job.QueueEmailNormal})
		m := &mail{Delivery: &okq.Delivery{Event: okq.Event{Queue: job.QueueEmailNormal}}, attempted: time.Now().Add(-time.Hour)}
		attempt := func(after time.Duration) {
			time.Sleep(after)
			m.previous, m.attempted = m.attempted, time.Now()
			w.addFailing(m)
		}
		want := func(what string, counted time.Duration) {
			t.Helper()
			if d := m.failing - counted; d < -10*time.Second || d > 10*time.Second {
				t.Errorf("%s: failing for %v, want %v", what, m.failing, counted)
			}
		}
		attempt(time.Minute)
		want("before any failure", 0)
		m.failed = 1
		attempt(time.Minute)
		want("a minute later", time.Minute)

		w.pauses.set(job.QueueEmailNormal, true)
		time.Sleep(time.Hour)
		w.pauses.set(job.QueueEmailNormal, false)
		attempt(time.Minute)
		want("after a pause of the queue", 2*time.Minute)

		o := w.gate.failed(nil, "settle", stats.ErrUnavailable)
		time.Sleep(time.Hour)
		w.gate.endOutage(o)
		attempt(time.Minute)
		want("after an outage of the store", 3*time.Minute)

		turn, _ := w.control.Acquire(sendcontrol.Email{ID: "a"})
		turn.Post()
		turn.Report(sendgrid.Result{Outcome: sendgrid.Unknown, Status: 204}) // opens the breaker
		time.Sleep(time.Hour)
		turn, _ = w.control.Acquire(sendcontrol.Email{ID: "b"})
		turn.Post()
		turn.Report(sendgrid.Result{Outcome: sendgrid.Accepted})
		attempt(time.Minute)
		want("after a breaker that was open", 4*time.Minute)

		w.began = time.Now() // another process takes over
		attempt(time.Minute)
		want("after a restart", 5*time.Minute)
	})
}
