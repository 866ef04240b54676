package worker

import (
	"bytes"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// Emails wait in the worker while two others are posted. One of them is announced already and waits for a place. What
// comes meanwhile is heeded, and the announced attempt counts as none.
func TestWhatChangesWhileAnEmailWaitsInTheWorkerIsHeeded(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, r *rig) {
		r.cfg.Concurrency = 2
		slow := faults.Always(faults.Latency)
		slow.Delay = faults.Duration(2500 * time.Millisecond)
		if err := r.sendgrid.SetFaults(slow); err != nil {
			t.Fatal(err)
		}
		first := r.mails(2, "a@example.com")
		opted, late, copied := r.mail("out@example.com"), r.mail("late@example.com"), r.mail("b@example.com", func(e *job.Email) {
			e.CC = []job.Address{{Email: "cc@example.com"}}
		})
		late.SendBefore = time.Now().Unix() + 1
		r.enqueue(first...)
		r.start()
		r.eventually("two are at SendGrid", func() bool { return r.sendgrid.Counters().Requests == 2 })
		r.enqueue(opted, late, copied)
		r.eventually("the next is announced", func() bool { return r.record(opted.ID) != nil })
		for _, address := range []string{"out@example.com", "cc@example.com"} {
			if err := r.store.prefs.SetFlags(t.Context(), address, 4, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		r.ends2(copied, stats.Accepted)
		for _, e := range []*job.Email{opted, late} {
			want := stats.OptedOut
			if e == late {
				want = stats.Expired
			}
			if rec := r.ends(e, want); rec.Spent() != 0 {
				t.Errorf("%s counts %d attempts", e.To, rec.Spent())
			}
			r.accepted(e, 0)
		}
		for _, m := range r.sendgrid.Mails() {
			if bytes.Contains(m.Body, []byte("cc@example.com")) {
				t.Error("cc got a copy after the opt-out")
			}
		}
	})
}
