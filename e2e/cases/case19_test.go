package cases

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
)

// answers has the sandbox answer after a time.
func (r *rig) answers(after time.Duration) {
	r.t.Helper()
	slow := faults.Always(faults.Latency)
	slow.Delay = faults.Duration(after)
	if err := r.sendgrid.SetFaults(slow); err != nil {
		r.t.Fatal(err)
	}
}

// reaches waits until SendGrid has accepted an email, and returns how long that took since a time.
func (r *rig) reaches(id string, since time.Time) time.Duration {
	r.t.Helper()
	eventually(r.t, 2*time.Minute, "SendGrid has "+id, func() bool { return r.sendgrid.Accepted(id) > 0 })
	return time.Since(since)
}

// An email of high priority is at SendGrid within one send latency and 250 ms, whatever waits in email-normal. The limit
// leaves as much again for a busy machine, and is for the median.
func TestCase19HighPriorityDoesNotWaitForTheBacklog(t *testing.T) {
	t.Parallel()
	for _, latency := range []time.Duration{50 * time.Millisecond, time.Second} {
		t.Run(latency.String(), func(t *testing.T) {
			r := newRig(t)
			r.startAPI()
			r.answers(latency)
			const backlog = 2000
			for i := range backlog / 100 {
				r.enqueueMany(100, func(n int) string { return fmt.Sprintf("u%d@example.com", i*100+n) }, "")
			}
			r.startWorker()
			eventually(t, time.Minute, "the backlog is being sent", func() bool { return r.sendgrid.Counters().Accepted > 0 })
			times := make([]time.Duration, 5)
			for i := range times {
				began := time.Now()
				times[i] = r.reaches(r.enqueue("urgent@example.com", `,"priority":"high"`), began)
			}
			slices.Sort(times)
			median, worst := times[len(times)/2], times[len(times)-1]
			left := backlog + 5 - r.sendgrid.Counters().Accepted
			r.came("SendGrid after %v: 5 of high priority took %v, %v at most, %d normal ones still waited", latency, median.Round(time.Millisecond),
				worst.Round(time.Millisecond), left)
			if limit := latency + 500*time.Millisecond; median > limit {
				t.Errorf("an email of high priority took %v, want at most %v", median, limit)
			}
		})
	}
}
