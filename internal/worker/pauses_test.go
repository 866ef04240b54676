package worker

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func (r *rig) pause(queue string) {
	r.Helper()
	r.push(job.PauseQueue(queue), job.PauseID, `{"since":1767225600}`)
}

func (r *rig) resume(queue string) {
	r.Helper()
	if err := r.okq.Flush(r.Context(), job.PauseQueue(queue)); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) showsPaused(queue string, want float64) {
	r.Helper()
	r.eventually("the metric follows", func() bool {
		return testutil.ToFloat64(r.worker.m.paused.WithLabelValues(queue)) == want
	})
}

// onTheOriginal has the rig on the original okq's protocol.
func onTheOriginal(r *rig) { r.okq = r.client(okqtest.RunOriginal(r.T).Addr()) }

func TestAPausedQueueIsNotTakenFrom(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*rig){"Okqd": func(*rig) {}, "Original": onTheOriginal} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, change)
			r.pause(job.QueueEmailNormal) // before any worker runs
			stop := r.start()
			r.showsPaused(job.QueueEmailNormal, 1)
			held, urgent := r.mail("ann@example.com"), r.mail("bob@example.com", func(e *job.Email) { e.Priority = job.PriorityHigh })
			r.enqueue(held, urgent)
			r.ends(urgent, stats.Accepted)
			stop()
			stop = r.start() // a restart changes nothing
			r.showsPaused(job.QueueEmailNormal, 1)
			second := r.mail("cat@example.com", func(e *job.Email) { e.Priority = job.PriorityHigh })
			r.enqueue(second)
			r.ends(second, stats.Accepted)
			if n := r.sendgrid.Accepted(string(held.ID)); n != 0 || r.total(job.QueueEmailNormal) != 1 {
				t.Errorf("sent %d times, %d jobs left", n, r.total(job.QueueEmailNormal))
			}
			r.resume(job.QueueEmailNormal)
			r.ends(held, stats.Accepted)
			r.showsPaused(job.QueueEmailNormal, 0)
			stop()
		})
	}
}

// What is in hand and not at SendGrid's when the queue is paused goes back, and is not sent.
func TestAPauseGivesBackWhatIsInHand(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	limited := faults.Sometimes(faults.TooMany, 1)
	limited.ResetAfter = faults.Duration(time.Hour)
	if err := r.sendgrid.SetFaults(limited); err != nil {
		t.Fatal(err)
	}
	defer r.start()()
	mails := make([]*job.Email, 50)
	for i := range mails {
		mails[i] = r.mail("ann@example.com")
	}
	r.enqueue(mails...)
	r.eventually("mails are in hand", func() bool { return testutil.ToFloat64(r.worker.m.pauses) > 0 })
	r.pause(job.QueueEmailNormal)
	r.eventually("all are given back", func() bool {
		s, err := r.okq.Status(r.Context(), job.QueueEmailNormal)
		return err == nil && s[0].Total == len(mails) && s[0].Processing == 0
	})
	if _, ok, err := r.okq.Peek(r.Context(), job.QueueEmailNormal, okq.PeekFront); !ok || err != nil {
		t.Errorf("no job is ready: %v", err)
	}
	for _, e := range mails {
		if n := r.sendgrid.Accepted(string(e.ID)); n != 0 {
			t.Errorf("sent %d times", n)
		}
	}
}

func TestFoldingCanBePaused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	defer r.start()()
	e := r.mail("ann@example.com")
	r.enqueue(e)
	r.ends(e, stats.Accepted)
	r.pause(job.QueueStats)
	r.showsPaused(job.QueueStats, 1)
	r.event(e, job.EventDelivered, "")
	next := r.mail("bob@example.com")
	r.enqueue(next)
	r.ends(next, stats.Accepted) // mails go on
	if rec := r.record(e.ID); rec.StateFlags != 0 || r.total(job.QueueStats) != 1 {
		t.Errorf("folded while paused: %+v", rec)
	}
	r.resume(job.QueueStats)
	r.eventually("the event is folded", func() bool { return r.record(e.ID).StateFlags == stats.FlagDelivered })
}
