package cases

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// An email for the year 9999 waits in the queue, at the door and in a worker's hands.
func TestCase04ASendAtOfTheYear9999IsScheduled(t *testing.T) {
	r := newRig(t)
	r.startAPI()
	answer := r.post(r.input("sendat-9999.json"))
	r.came("Enqueue: %s", answer)
	var reply struct{ Result struct{ ID string } }
	if err := json.Unmarshal([]byte(answer), &reply); err != nil || reply.Result.ID == "" {
		t.Fatalf("Enqueue answered %s", answer)
	}
	if state := r.state(reply.Result.ID); state != "scheduled" {
		t.Errorf("the email is %q, want scheduled", state)
	}
	r.startWorker()
	for _, sendAt := range []int64{job.MaxTime, 1 << 62} {
		r.pushedByHand(fmt.Sprintf(`,"sendAt":%d`, sendAt))
	}
}

// pushedByHand pushes a job beside pm-api and sees the worker put it back with a delay.
func (r *rig) pushedByHand(extra string) {
	r.t.Helper()
	client, err := okq.New(okq.Options{Addrs: []string{r.okqd.Addr}})
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	id := string(job.NewID())
	event := okq.Event{Queue: job.QueueEmailNormal, ID: id,
		Contents: []byte(`{"id":"` + id + `","to":"a@example.com","from":"shop@example.org","subject":"S","text":"T"` + extra + `}`)}
	if err := client.Push(r.t.Context(), event); err != nil {
		r.t.Fatal(err)
	}
	var found okq.Found
	eventually(r.t, 10*time.Second, "the worker puts the job back", func() bool {
		found, _, err = client.Find(r.t.Context(), event.Queue, id)
		return err == nil && found.State == okq.StateDelayed
	})
	r.came("job with%s put back, due in %v", extra, found.Due)
	if found.Due < 90*365*24*time.Hour {
		r.t.Errorf("due in %v, want at least 90 years", found.Due)
	}
	if n := r.sendgrid.Accepted(id); n != 0 {
		r.t.Errorf("sent %d times", n)
	}
}
