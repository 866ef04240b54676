package cases

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
)

// A wrong --sendgrid-url costs no email anything: what is about the route is no email's fault.
func TestCase16bSendGridURLWithAPathIsUnderstood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI()
	r.startWorker("--sendgrid-url", r.sendgrid.URL()+"/v3")
	r.allSent("--sendgrid-url …/v3", 30)
}

func TestCase16bAWrongRouteHoldsEmails(t *testing.T) {
	t.Parallel()
	for _, rule := range []faults.Rule{
		{Status: 404, Message: "not found"}, {Status: 405, Message: "405 Not Allowed", HTML: true}, {Status: 406, Message: "no"},
		{Status: 415, Message: "no"}, {Status: 400, Message: "400 Bad Request", HTML: true}, {Status: 302, Message: "moved", HTML: true},
	} {
		t.Run(fmt.Sprint(rule.Status), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			rule.Fault, rule.Probability = faults.Refuse, 1
			if err := r.sendgrid.SetFaults(rule); err != nil {
				t.Fatal(err)
			}
			r.startAPI()
			r.startWorker()
			var ids []string
			for i := range 30 {
				ids = append(ids, r.enqueue(fmt.Sprintf("a%d@example.com", i), ""))
			}
			eventually(t, 10*time.Second, "emails are refused", func() bool { return r.sendgrid.Counters().Faults["refuse"] > 10 })
			time.Sleep(3 * time.Second)
			dead := 0
			for _, id := range ids {
				if r.state(id) == "dead" || r.state(id) == "rejected" {
					dead++
				}
			}
			r.came("%d to 30 emails: %d dead", rule.Status, dead)
			if dead > 0 {
				t.Fatalf("%d of 30 emails are dead", dead)
			}
			if says := metricsOf(t, r.worker.Ops); !strings.Contains(says, "pm_worker_breaker_open 1") {
				t.Error("the breaker is not open")
			}
			r.sendgrid.ClearFaults()
			eventually(t, time.Minute, "all are sent", func() bool {
				for _, id := range ids {
					if r.sendgrid.Accepted(id) != 1 {
						return false
					}
				}
				return true
			})
		})
	}
}

// allSent enqueues emails and sees all of them sent.
func (r *rig) allSent(what string, n int) {
	r.t.Helper()
	var ids []string
	for i := range n {
		ids = append(ids, r.enqueue(fmt.Sprintf("a%d@example.com", i), ""))
	}
	sent := func() (sent int) {
		for _, id := range ids {
			sent += min(r.sendgrid.Accepted(id), 1)
		}
		return sent
	}
	for deadline := time.Now().Add(10 * time.Second); sent() < n && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	r.came("%s: %d of %d emails sent", what, sent(), n)
	if sent() < n {
		r.t.Errorf("%d of %d emails sent", sent(), n)
	}
}
