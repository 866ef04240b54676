package cases

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to lock the worker's store

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/pkg/job"
)

// lockStore has nobody write to the rig's store for that long.
func (r *rig) lockStore(d time.Duration) {
	r.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(r.dir, "pm.db")+"?_pragma=busy_timeout(20000)")
	if err != nil {
		r.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		r.t.Fatal(err)
	}
	time.AfterFunc(d, func() { db.Close() })
}

// A letter is requeued as soon as anybody can see it, while the worker that wrote it waits for the store.
func TestCase24RequeueWhileTheWorkerIsStillDeadLettering(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		t.Run(map[bool]string{false: "NoStore", true: "Store"}[known], func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.startAPI()
			r.startWorker()
			client := r.queue()
			if err := r.sendgrid.SetFaults(faults.Rule{Fault: faults.Latency, Delay: faults.Duration(time.Second), Probability: 1}, faults.Always(faults.BadRequest)); err != nil {
				t.Fatal(err)
			}
			lost := 0
			for range 3 {
				id := r.enqueue("ann@example.com", "")
				eventually(t, time.Minute, "the attempt began", func() bool { return strings.Contains(r.call("GetEmail", `{"id":"`+id+`"}`), `"attempting"`) })
				r.lockStore(3 * time.Second)
				before := r.totals(client, job.QueueEmailDead)[0]
				eventually(t, time.Minute, "there is a letter", func() bool { return r.totals(client, job.QueueEmailDead)[0] > before })
				store := []string{"--no-store"}
				if known {
					store = r.store()
				}
				said := r.dead(r.okqd.Addr, append([]string{"requeue", id, "--yes"}, store...)...)
				eventually(t, time.Minute, "the job is done with", func() bool { return r.totals(client, job.QueueEmailNormal)[0] == 0 })
				if after := r.totals(client, job.QueueEmailDead)[0]; after != before+1 {
					lost++
					t.Errorf("letters: %d, then %d; dead requeue said %s", before, after, said)
				}
			}
			r.came("lost: %d of 3", lost)
		})
	}
}
