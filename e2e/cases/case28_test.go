package cases

import (
	"slices"
	"testing"
	"time"
)

// One email at a time. The figure is for the table: how fast the machine is decides no test. What does is that a pace of
// the ledger's calls would hold back half of the emails in each round, while a busy machine lets one round through.
func TestCase28AnEmailAloneWaitsForNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI()
	r.startWorker()
	const paced = 10 * time.Millisecond
	var best time.Duration
	for round := range 12 {
		p50 := r.median(40)
		if round == 0 || p50 < best {
			best = p50
		}
		if best < paced/2 {
			break
		}
	}
	r.came("p50 of Enqueue to SendGrid %v, one email at a time", best.Round(100*time.Microsecond))
	if best > paced {
		t.Errorf("p50 is %v in the best round: emails that come alone are kept waiting", best)
	}
}

// median sends emails one after the other and returns the median time from the call of Enqueue until SendGrid has it.
func (r *rig) median(emails int) time.Duration {
	r.t.Helper()
	times := make([]time.Duration, emails)
	for i := range times {
		began := time.Now()
		id := r.enqueue("alone@example.com", "")
		for r.sendgrid.Accepted(id) == 0 {
			if time.Since(began) > time.Minute {
				r.t.Fatal("the email did not reach SendGrid")
			}
			time.Sleep(200 * time.Microsecond)
		}
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return times[emails/2]
}
