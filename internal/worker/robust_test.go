package worker

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func TestAcceptedMailIsAckedOnlyWhenTheLedgerKnows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	slow := faults.Always(faults.Latency)
	slow.Delay = faults.Duration(500 * time.Millisecond)
	if err := r.sendgrid.SetFaults(slow); err != nil {
		t.Fatal(err)
	}
	e := r.mail("a@example.com")
	r.enqueue(e)
	r.start()
	r.eventually("attempt has begun", func() bool { return r.record(e.ID) != nil })
	r.store.away.Store(true)
	r.eventually("SendGrid has it", func() bool { return r.sendgrid.Accepted(string(e.ID)) == 1 })
	r.eventually("settling fails", func() bool { return r.worker.gate.waiting() })
	if n := r.total(e.Queue()); n != 1 {
		t.Errorf("%d jobs, want the one whose ledger is not written", n)
	}
	r.store.away.Store(false)
	r.ends(e, stats.Accepted)
	r.accepted(e, 1)
}

func TestStoppingFinishesWhatRunsAndGivesBackTheRest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	slow := faults.Always(faults.Latency)
	slow.Delay = faults.Duration(time.Second)
	if err := r.sendgrid.SetFaults(slow); err != nil {
		t.Fatal(err)
	}
	mails := r.mails(200, "a@example.com")
	r.enqueue(mails...)
	stop := r.start()
	r.eventually("mails are on their way", func() bool { return r.sendgrid.Counters().Requests >= int64(r.cfg.Concurrency) })
	start := time.Now()
	stop()
	if took := time.Since(start); took > r.cfg.DrainWait {
		t.Errorf("stopping took %v", took)
	}
	sent := 0
	for _, e := range mails {
		if rec := r.record(e.ID); rec == nil {
			continue
		} else if sent++; rec.State != stats.Accepted {
			t.Errorf("a mail was left %s", rec.State)
		}
	}
	if left := r.total(job.QueueEmailNormal); left != len(mails)-sent {
		t.Errorf("%d jobs are left and %d mails were sent, of %d", left, sent, len(mails))
	}
	r.sendgrid.ClearFaults()
	r.start()
	r.empty(job.QueueEmailNormal) // at once: not only when leases end
	for _, e := range mails {
		r.accepted(e, 1)
	}
}

func TestHandOverBetweenWorkersNeitherLosesNorDoubles(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.cfg.Unknown = job.OnUnknownHold })
	mails := r.mails(600, "a@example.com")
	r.enqueue(mails...)
	stops := []func(){r.start(), r.start(), r.start()}
	for i := range 6 {
		stops[i%3]()
		stops[i%3] = r.start()
	}
	r.empty(job.QueueEmailNormal)
	for _, e := range mails {
		r.accepted(e, 1)
	}
}

// A panicking sender stands for a bug that one mail hits.
type panicker struct{ Sender }

func (p panicker) Send(ctx context.Context, e *job.Email) sendgrid.Result {
	if strings.HasPrefix(e.To, "panic") {
		panic("bug")
	}
	return p.Sender.Send(ctx, e)
}

func TestPanicIsTheFailureOfOneMail(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) {
		r.wrap = func(s Sender) Sender { return panicker{s} }
		r.cfg.Unknown = job.OnUnknownHold
	})
	bad, mails := r.mail("panic@example.com"), r.mails(50, "a@example.com")
	r.enqueue(append(mails, bad)...)
	r.start()
	for _, e := range mails {
		r.ends2(e, stats.Accepted)
		r.accepted(e, 1)
	}
	if letter := r.deadLetter(job.QueueEmailDead); letter.ID != string(bad.ID) || letter.Reason != job.ReasonUnknown {
		t.Errorf("letter %+v", letter)
	}
	r.empty(job.QueueEmailNormal)
}

// crowd sees how many mails are at SendGrid's at a time.
type crowd struct {
	Sender
	now, most atomic.Int32
}

func (c *crowd) Send(ctx context.Context, e *job.Email) sendgrid.Result {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	return c.Sender.Send(ctx, e)
}

// One of the mails in hand killed the process several times: they are tried one by one, so that the innocent get away.
func TestSuspectsAreHandledOneAtATime(t *testing.T) {
	t.Parallel()
	c := &crowd{}
	r := newRig(t, func(r *rig) {
		r.wrap = func(s Sender) Sender { c.Sender = s; return c }
		r.cfg.MaxAttempts = 10
	})
	mails := r.mails(10, "a@example.com")
	r.enqueue(mails...)
	r.wearOutAll(job.QueueEmailNormal, r.cfg.suspicious())
	r.start()
	for _, e := range mails {
		r.ends2(e, stats.Accepted)
	}
	if most := c.most.Load(); most != 1 {
		t.Errorf("%d suspects were sent at a time", most)
	}
}

// wearOutAll gives each event of a queue n deliveries more.
func (r *rig) wearOutAll(queue string, n int) {
	r.Helper()
	for range n {
		events, err := r.okq.Pop(r.Context(), queue, 1000, time.Minute)
		if err != nil {
			r.Fatal(err)
		}
		for _, e := range events {
			if _, err := r.okq.Redo(r.Context(), queue, e.ID, 0); err != nil {
				r.Fatal(err)
			}
		}
	}
}

func TestFailingMailsDoNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	for recipient, posts := range map[string]int64{ // a mail's, at most, while the others are sent
		"fail503@example.com":   8, // steps aside for longer each time; it does not spin at the head of the queue
		"reject400@example.com": 1, // dies at once
	} {
		t.Run(recipient, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(r *rig) { r.cfg.MaxAttempts = 12 })
			bad, good := r.mails(100, recipient), r.mails(100, "a@example.com")
			r.enqueue(bad...)
			r.enqueue(good...)
			r.start()
			for _, e := range good {
				r.ends2(e, stats.Accepted)
			}
			if n := r.sendgrid.Counters().Requests; n > int64(len(good))+posts*int64(len(bad)) {
				t.Errorf("%d requests before %d good mails were sent", n, len(good))
			}
		})
	}
}

func TestUrgentMailIsNotBehindBulk(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	slow := faults.Always(faults.Latency)
	slow.Delay = faults.Duration(20 * time.Millisecond)
	if err := r.sendgrid.SetFaults(slow); err != nil {
		t.Fatal(err)
	}
	r.enqueue(r.mails(2000, "bulk@example.com")...)
	r.start()
	r.eventually("bulk is being sent", func() bool { return r.sendgrid.Counters().Accepted > 100 })
	e := r.mail("urgent@example.com", func(e *job.Email) { e.Priority = job.PriorityHigh })
	r.enqueue(e)
	r.ends2(e, stats.Accepted)
	if left := r.total(job.QueueEmailNormal); left < 500 {
		t.Errorf("the urgent mail waited until %d bulk mails were left", left)
	}
}

func TestWithoutAStoreMailsAreSentAndEventsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.store = nil })
	mails := r.mails(50, "a@example.com")
	retried, rejected := r.mail("fail503+x1@example.com"), r.mail("reject400@example.com")
	r.enqueue(append(mails, retried, rejected)...)
	r.event(retried, job.EventDelivered, "")
	r.start()
	r.empty(job.QueueEmailNormal)
	for _, e := range append(mails, retried) {
		r.accepted(e, 1)
	}
	if letter := r.deadLetter(job.QueueEmailDead); letter.ID != string(rejected.ID) {
		t.Errorf("letter %+v", letter)
	}
	if n := r.total(job.QueueStats); n != 1 {
		t.Errorf("%d batches of events, want the one that nobody can fold", n)
	}
}

func TestWithoutAStoreAttemptsAreDeliveries(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.store = nil })
	e := r.mail("fail500@example.com")
	r.enqueue(e)
	r.start()
	if letter := r.deadLetter(job.QueueEmailDead); letter.Reason != job.ReasonUnknown || letter.Attempts != 3 {
		t.Errorf("letter %+v", letter)
	}
}

func TestWithoutAStoreSureFailuresAreBoundedByTimeAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.store, r.cfg.MaxAttempts, r.cfg.GiveUpAfter = nil, 1, 4*time.Second })
	e, mended := r.mail("fail503@example.com"), r.mail("fail503+x3@example.com")
	r.enqueue(e, mended)
	r.start()
	letter := r.deadLetter(job.QueueEmailDead)
	if letter.ID != string(e.ID) || letter.Reason != job.ReasonGivenUp || letter.Attempts < 3 {
		t.Errorf("letter %+v", letter)
	}
	r.empty(e.Queue())
	r.accepted(mended, 1)
}

// The original okq knows no DELAY, COUNT or QTOUCH: the end of a lease is the delay, and every job is looked up.
func TestOriginalOkqKeepsThePromises(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) {
		r.okq = r.client(okqtest.RunOriginal(t, okqtest.ScanEvery(100*time.Millisecond)).Addr())
		r.cfg.SendTimeout, r.cfg.DrainWait, r.cfg.Lease = 3*time.Second, 4*time.Second, 6*time.Second
		r.cfg.Unknown, r.cfg.EvidenceWait = job.OnUnknownHold, time.Second
	})
	unknown := r.unknownMail()
	r.start()
	r.eventually("outcome is unknown", func() bool {
		rec := r.record(unknown.ID)
		return rec != nil && rec.State == stats.Unknown
	})
	mails, retried := r.mails(100, "a@example.com"), r.mail("fail503+x1@example.com")
	r.enqueue(append(mails, retried)...)
	for _, e := range append(mails, retried) {
		r.ends2(e, stats.Accepted)
		r.accepted(e, 1)
	}
	if letter := r.deadLetter(job.QueueEmailDead); letter.ID != string(unknown.ID) || letter.Reason != job.ReasonUnknown {
		t.Errorf("letter %+v", letter)
	}
	r.empty(job.QueueEmailNormal)
}
