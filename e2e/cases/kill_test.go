package cases

import (
	"fmt"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
)

// With --max-attempts 1 and one kill -9, only what was in flight at SendGrid may need a person.
func TestOneKillLeavesUntriedEmailsTheirDeliveries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.sendgrid.SetFaults(faults.Rule{Fault: faults.Latency, Probability: 1, Delay: faults.Duration(100 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	r.startAPI()
	const all, concurrency = 200, 8
	ids := r.enqueueMany(all, func(i int) string { return fmt.Sprintf("a%d@example.com", i) }, "")
	flags := []string{"--max-attempts", "1", "--concurrency", fmt.Sprint(concurrency), "--send-timeout", "1s", "--lease", "2s", "--drain-wait", "2s"}
	r.startWorker(flags...)
	eventually(t, 20*time.Second, "some are sent", func() bool { return r.sendgrid.Counters().Accepted >= 10 })
	r.worker.Kill()
	r.startWorker(flags...)
	sent := func() (n int) {
		for _, id := range ids {
			n += min(r.sendgrid.Accepted(id), 1)
		}
		return n
	}
	for deadline := time.Now().Add(30 * time.Second); sent() < all && r.total("email-dead") < all/2 && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	dead := r.total("email-dead")
	r.came("one kill -9 with --max-attempts 1: %d of %d emails sent, %d dead letters", sent(), all, dead)
	if sent() < all-2*concurrency || dead > 2*concurrency {
		t.Errorf("%d of %d emails are sent, %d are dead letters", sent(), all, dead)
	}
}
