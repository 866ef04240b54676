package cases

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// again starts a program that was killed, where it listened before.
func again(p *process.Process) {
	for i, arg := range p.Args {
		if arg == "--listen-addr" || arg == "--webhook-addr" {
			p.Args[i+1] = p.Addr
		}
	}
	listeners := 2
	if p.Name == "pm-worker" {
		listeners = 1
	}
	p.Run(listeners)
}

// SendGrid takes the emails and does not say so. Then a part of what brings its events to the ledger is down for longer
// than --evidence-wait. SendGrid repeats the events a while after it is back.
func TestCase25AnOutageLongerThanEvidenceWait(t *testing.T) {
	t.Parallel()
	const emails, outage = 20, 12 * time.Second
	for _, down := range [][]string{{"pm-hooks", "okqd", "pm-worker"}, {"okqd"}, {"pm-hooks"}} {
		t.Run(strings.Join(down, "+"), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.sendgrid = sandboxtest.RunT(t, sandboxtest.Events(sandbox.WebhookConfig{Concurrency: 64, RetryMin: 3 * time.Second, RetryMax: 3 * time.Second}))
			r.startAPI()
			r.startHooks()
			r.startWorker("--environment", "production", "--evidence-wait", "8s", "--lease", "3s", "--send-timeout", "2s", "--drain-wait", "3s")
			var processes []*process.Process
			for _, p := range []*process.Process{r.okqd, r.hooks, r.worker} {
				if slices.Contains(down, p.Name) {
					processes = append(processes, p)
				}
			}
			settled := r.enqueue("settled@example.com", "") // pm-hooks is known to be there
			eventually(t, time.Minute, "its events are folded", func() bool { return strings.Contains(r.call("GetEmail", `{"id":"`+settled+`"}`), `"stateFlags":34`) })
			if err := r.sendgrid.SetFaults(faults.Always(faults.AcceptHang)); err != nil {
				t.Fatal(err)
			}
			if err := r.sendgrid.SetWebhookURL("http://127.0.0.1:1/"); err != nil { // no event gets through before the outage
				t.Fatal(err)
			}
			ids := make([]string, emails)
			for i := range ids {
				ids[i] = r.enqueue(fmt.Sprintf("u%d@example.com", i), "")
			}
			eventually(t, time.Minute, "SendGrid has all", func() bool {
				return !slices.ContainsFunc(ids, func(id string) bool { return r.sendgrid.Accepted(id) == 0 })
			})
			for _, p := range processes {
				p.Kill()
			}
			r.sendgrid.ClearFaults()
			if err := r.sendgrid.SetWebhookURL("http://" + r.hooks.Addr + "/"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(outage)
			for _, p := range processes {
				again(p)
			}
			eventually(t, time.Minute, "all are settled", func() bool {
				return !slices.ContainsFunc(ids, func(id string) bool {
					return !strings.Contains(r.call("GetEmail", `{"id":"`+id+`"}`), `"state":"accepted"`)
				})
			})
			twice := 0
			for _, id := range ids {
				if r.sendgrid.Accepted(id) > 1 {
					twice++
				}
			}
			r.came("%s down for %v: %d of %d accepted twice", strings.Join(down, "+"), outage, twice, emails)
			if twice > 0 {
				t.Errorf("%d of %d emails were accepted twice, though their events came after the outage", twice, emails)
			}
		})
	}
}
