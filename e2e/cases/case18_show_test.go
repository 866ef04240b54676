package cases

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/pkg/job"
)

// The first attempt is of unknown outcome, the second, some seconds later, is rejected.
func TestCase18DeadShowTellsTheFirstAttempt(t *testing.T) {
	t.Parallel()
	const evidenceWait = 4 * time.Second
	r := newRig(t)
	r.startAPI()
	r.startWorker("--evidence-wait", evidenceWait.String())
	client := r.queue()
	if err := r.sendgrid.SetFaults(faults.Next(faults.ServerError, 1), faults.Always(faults.BadRequest)); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	id := r.enqueue("ann@example.com", "")
	eventually(t, time.Minute, "it is dead", func() bool { return r.totals(client, job.QueueEmailDead)[0] == 1 })
	after := time.Now()
	var letter job.DeadLetter
	if err := json.Unmarshal([]byte(r.dead(r.okqd.Addr, "show", id, "--json")), &letter); err != nil {
		t.Fatal(err)
	}
	first := time.Unix(letter.FirstAttempt, 0)
	r.came("first attempt %v before death", after.Sub(first).Round(time.Second))
	if letter.Attempts != 2 || first.Before(before.Truncate(time.Second)) || after.Sub(first) < evidenceWait {
		t.Errorf("first attempt %v, enqueued at %v, dead at %v: %+v", first, before, after, letter)
	}
}
