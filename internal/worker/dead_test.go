package worker

import (
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// TestAKillBetweenADeathAndItsLetterLeavesTheJob kills a worker once the ledger has the death. The job is there, and the
// next worker makes it the letter without asking SendGrid again.
func TestAKillBetweenADeathAndItsLetterLeavesTheJob(t *testing.T) {
	t.Parallel()
	db := t.TempDir() + "/pm.db"
	r := newRig(t, func(r *rig) { r.db = db })
	if err := r.sendgrid.SetFaults(faults.Next(faults.BadRequest, 1)); err != nil {
		t.Fatal(err)
	}
	e := r.mail("a@example.com")
	r.enqueue(e)
	r.runKillable(db, "PM_TEST_KILLABLE_AT=death")
	if jobs, letters := r.total(job.QueueEmailNormal), r.total(job.QueueEmailDead); jobs != 1 || letters != 0 {
		t.Fatalf("after the kill: %d jobs, %d letters", jobs, letters)
	}
	r.cfg = killableConfig()
	r.start()
	r.empty(job.QueueEmailNormal)
	if letter := r.deadLetter(job.QueueEmailDead); letter.Reason != job.ReasonRejected || letter.Attempts != 1 || letter.ID != string(e.ID) {
		t.Errorf("letter %+v", letter)
	}
	r.accepted(e, 0)
}

// onEachEngine runs a test with okqd on a disk and on Redis.
func onEachEngine(t *testing.T, test func(*rig)) {
	for name, start := range map[string]func(*testing.T) *okqdtest.Server{
		"Local": func(t *testing.T) *okqdtest.Server { return okqdtest.RunT(t) },
		"Redis": func(t *testing.T) *okqdtest.Server {
			return okqdtest.RunT(t, okqdtest.WithRedis(testenv.StartRedis(t).Addr))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newRig(t, func(r *rig) {
				r.T = t
				r.addr = start(t).Addr
				r.okq = r.client(r.addr)
			}))
		})
	}
}

// TestALetterOfAnOlderWorkerIsLeftAlone is for one that did not count deaths and whose operator may be about to remove
// the letter: the new letter gets an id of its own.
func TestALetterOfAnOlderWorkerIsLeftAlone(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(r *rig) {
		if err := r.sendgrid.SetFaults(faults.Always(faults.BadRequest)); err != nil {
			r.Fatal(err)
		}
		e := r.mail("a@example.com")
		r.push(job.QueueEmailDead, string(e.ID), "{}")
		r.enqueue(e)
		r.start()
		r.empty(job.QueueEmailNormal)
		for _, id := range []string{string(e.ID), string(e.ID) + ".2"} {
			if _, there, err := r.okq.Find(r.Context(), job.QueueEmailDead, id); err != nil || !there {
				r.Errorf("letter %s: %v %v", id, there, err)
			}
		}
	})
}

// TestASecondPushOfADeadEmailLeavesOneLetter under another id, so that an older operator who is about to remove the
// first removes nothing.
func TestASecondPushOfADeadEmailLeavesOneLetter(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(r *rig) {
		if err := r.sendgrid.SetFaults(faults.Next(faults.BadRequest, 1)); err != nil {
			r.Fatal(err)
		}
		e := r.mail("a@example.com")
		r.enqueue(e)
		r.start()
		r.ends(e, stats.Rejected)
		r.empty(job.QueueEmailNormal)
		r.enqueue(e)
		r.eventually("the job is gone", func() bool { return r.total(job.QueueEmailNormal) == 0 })
		if n := r.total(job.QueueEmailDead); n != 1 {
			r.Errorf("%d letters", n)
		}
		if _, there, err := r.okq.Find(r.Context(), job.QueueEmailDead, string(e.ID)+".2"); err != nil || !there {
			r.Errorf("the renewed letter: %v %v", there, err)
		}
		r.accepted(e, 0)
	})
}

// TestALateAckSparesARequeuedJob has a worker lose its lease, its job die and be requeued, and then the worker ack.
func TestALateAckSparesARequeuedJob(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(r *rig) {
		e := r.mail("a@example.com")
		r.enqueue(e)
		popped, err := r.okq.Pop(r.Context(), job.QueueEmailNormal, 1, time.Minute)
		if err != nil || len(popped) != 1 {
			r.Fatalf("popped %v %v", popped, err)
		}
		for _, move := range []okq.Event{{Queue: job.QueueEmailDead, ID: string(e.ID)}, {Queue: job.QueueEmailNormal, ID: string(e.ID)}} {
			from := okq.Event{Queue: job.QueueEmailNormal, ID: string(e.ID)}
			if move.Queue == from.Queue {
				from.Queue = job.QueueEmailDead
			}
			if moved, err := r.okq.Move(r.Context(), from, move, 0); err != nil || !moved {
				r.Fatalf("move: %v %v", moved, err)
			}
		}
		if acked, err := r.okq.AckLease(r.Context(), popped[0]); err != nil || acked {
			r.Errorf("the late ack: %v %v", acked, err)
		}
		if n := r.total(job.QueueEmailNormal); n != 1 {
			r.Errorf("%d jobs", n)
		}
	})
}
