package worker

import (
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func TestRedeliveredMailThatWasAcceptedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.mail("a@example.com")
	s := stats.Subject{ID: e.ID, Recipient: e.To, Created: time.Now()}
	if _, err := r.store.Store.Begin(t.Context(), []stats.Attempt{{Subject: s, Number: 1, Token: "t", At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Store.Settle(t.Context(), []stats.Settlement{{Subject: s, Number: 1, State: stats.Accepted, At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	r.enqueue(e) // its worker died before the ack; even a server that tells deliveries may say 1
	r.start()
	r.empty(e.Queue())
	r.accepted(e, 0)
}

// unknownMail is a mail that SendGrid took and did not say so.
func (r *rig) unknownMail(change ...func(*job.Email)) *job.Email {
	r.Helper()
	if err := r.sendgrid.SetFaults(faults.Next(faults.AcceptReset, 1)); err != nil {
		r.Fatal(err)
	}
	e := r.mail("a@example.com", change...)
	r.enqueue(e)
	return e
}

func TestEventSettlesAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.cfg.EvidenceWait = 3 * time.Second })
	e := r.unknownMail()
	r.start()
	r.eventually("outcome is unknown", func() bool {
		rec := r.record(e.ID)
		return rec != nil && rec.State == stats.Unknown
	})
	r.event(e, job.EventProcessed, "")
	r.ends(e, stats.Accepted)
	r.accepted(e, 1)
	r.counted(r.worker.m.unknown.WithLabelValues("evidence"), 1)
}

// The evidence may have reached okq and wait there: for its turn, or in the hand of a folder that died.
func TestUnknownOutcomeIsNotDecidedWhileEventsWaitToBeFolded(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.cfg.Queues = []string{job.QueueEmailNormal} })
	e := r.unknownMail()
	r.event(e, job.EventProcessed, "")
	leased, err := r.okq.Pop(t.Context(), job.QueueStats, 1, 4*time.Second)
	if err != nil || len(leased) != 1 {
		t.Fatalf("%d events, %v", len(leased), err)
	}
	stop := r.start()
	time.Sleep(r.cfg.EvidenceWait + 2*lookAgain)
	r.accepted(e, 1)
	stop()
	r.cfg.Queues = append(r.cfg.Queues, job.QueueStats)
	r.start()
	r.ends(e, stats.Accepted)
	r.empty(job.QueueEmailNormal)
	r.accepted(e, 1)
}

func TestUnknownOutcomeWithoutEventsIsResentOrHeld(t *testing.T) {
	t.Parallel()
	resend := func(t *testing.T, r *rig, e *job.Email) {
		rec := r.ends(e, stats.Accepted)
		r.accepted(e, 2) // counted, not hidden
		r.counted(r.worker.m.unknown.WithLabelValues("resend"), 1)
		if rec.Attempts != 2 {
			t.Errorf("%d attempts", rec.Attempts)
		}
	}
	hold := func(t *testing.T, r *rig, e *job.Email) {
		letter := r.deadLetter(job.QueueEmailDead)
		if letter.Reason != job.ReasonUnknown || letter.ID != string(e.ID) || letter.Attempts != 1 {
			t.Errorf("letter %+v", letter)
		}
		r.ends(e, stats.Dead)
		r.accepted(e, 1)
	}
	rows := []struct {
		name, flag, own string
		want            func(*testing.T, *rig, *job.Email)
	}{
		{"resend", job.OnUnknownResend, "", resend},
		{"hold", job.OnUnknownHold, "", hold},
		{"the mail says resend", job.OnUnknownHold, job.OnUnknownResend, resend},
		{"the mail says hold", job.OnUnknownResend, job.OnUnknownHold, hold},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(r *rig) { r.cfg.Unknown = row.flag })
			e := r.unknownMail(func(e *job.Email) { e.OnUnknown = row.own })
			start := time.Now()
			r.start()
			row.want(t, r, e)
			if waited := time.Since(start); waited < r.cfg.EvidenceWait {
				t.Errorf("decided after %v, before --evidence-wait was over", waited)
			}
		})
	}
}

// A worker that died in the middle of an attempt leaves it in the ledger: the next one waits for evidence first.
func TestAttemptOfADeadWorkerIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.cfg.Unknown, r.cfg.EvidenceWait = job.OnUnknownHold, time.Second })
	e := r.mail("a@example.com")
	s := stats.Subject{ID: e.ID, Recipient: e.To, Created: time.Now()}
	began := time.Now()
	if _, err := r.store.Store.Begin(t.Context(), []stats.Attempt{{Subject: s, Number: 1, Token: "dead", At: began}}); err != nil {
		t.Fatal(err)
	}
	r.enqueue(e)
	r.wearOut(e.Queue(), 1)
	r.start()
	if letter := r.deadLetter(job.QueueEmailDead); letter.Reason != job.ReasonUnknown {
		t.Errorf("letter %+v", letter)
	}
	if waited := time.Since(began); waited < r.cfg.EvidenceWait {
		t.Errorf("decided %v after the attempt", waited)
	}
	r.accepted(e, 0)
}

func TestRequeuedDeadLetterIsSent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.mail("reject400+x1@example.com")
	r.enqueue(e)
	r.start()
	letter := r.deadLetter(job.QueueEmailDead)
	r.ends(e, stats.Rejected)
	if err := r.okq.Push(t.Context(), okq.Event{Queue: letter.Queue, ID: letter.ID, Contents: letter.Contents()}); err != nil {
		t.Fatal(err)
	}
	rec := r.ends(e, stats.Accepted)
	r.accepted(e, 1)
	if rec.Spent() != 1 {
		t.Errorf("%d attempts are counted, want those since the requeue: 1", rec.Spent())
	}
}

// The worker died after the dead letter was queued and before the job was acked.
func TestDeadJobThatComesAgainStaysDead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.mail("a@example.com")
	s := stats.Subject{ID: e.ID, Recipient: e.To, Created: time.Now()}
	if err := r.store.Store.Settle(t.Context(), []stats.Settlement{{Subject: s, State: stats.Dead, Reason: job.ReasonUnknown, At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	r.enqueue(e)
	r.wearOut(e.Queue(), 1)
	r.start()
	if letter := r.deadLetter(job.QueueEmailDead); letter.Reason != job.ReasonUnknown {
		t.Errorf("letter %+v", letter)
	}
	r.empty(e.Queue())
	r.accepted(e, 0)
}
