package worker

import (
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/pkg/heartbeat"
)

func TestHeartbeatsTellWhatKeepsTheWorkerFromSending(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	beats := func() []heartbeat.Beat {
		t.Helper()
		found, err := r.beats.Since(t.Context(), time.Now().Add(-heartbeat.Fresh))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if err := r.sendgrid.SetFaults(faults.Always(faults.WrongKey)); err != nil {
		t.Fatal(err)
	}
	r.enqueue(r.mail("a@example.com"))
	stop := r.start()
	r.eventually("the worker says that it is refused", func() bool {
		b := beats()
		return len(b) == 1 && b[0].State == heartbeat.Refused && len(b[0].Queues) == len(r.cfg.Queues)
	})
	r.sendgrid.ClearFaults()
	r.eventually("the worker says that it sends", func() bool { b := beats(); return len(b) == 1 && b[0].State == heartbeat.Sending })
	stop()
	if b := beats(); len(b) != 0 {
		t.Errorf("a worker that was stopped is still seen: %+v", b)
	}
}
