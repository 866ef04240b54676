package worker

import (
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/testenv"
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
	s := stats.Subject{ID: e.ID, Recipient: e.To, Created: time.Now()}
	err := r.store.Store.Settle(t.Context(), []stats.Settlement{{Subject: s, Number: 1, Free: 1, State: stats.Retrying, At: time.Now()}})
	if err != nil {
		t.Fatal(err)
	}
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

// A caller whose Enqueue was not answered repeats it under the same ID: the email is held all the same, and no other
// letter appears. It is pushed as often as a worker may see it for the first time.
func TestAHeldEmailIsNotSentByASecondPushOfItsID(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, r *rig) {
		r.cfg.Unknown = job.OnUnknownHold
		e := r.unknownMail()
		r.start()
		r.ends(e, stats.Dead)
		r.enqueue(e)
		r.empty(e.Queue())
		r.accepted(e, 1)
		if rec := r.record(e.ID); rec.State != stats.Dead || !strings.HasPrefix(rec.Reason, job.ReasonUnknown) {
			t.Errorf("the record says %s, %q", rec.State, rec.Reason)
		}
		if n := r.total(job.QueueEmailDead); n != 1 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// What SendGrid may have must not be told as never sent, whether an event shows it or nothing does.
func TestAnUnknownOutcomeIsJudgedBeforeTheEmailExpiresOrIsOptedOutOf(t *testing.T) {
	t.Parallel()
	optOut := func(r *rig, e *job.Email) {
		if err := r.store.prefs.SetFlags(r.Context(), e.To, e.Flags, time.Now()); err != nil {
			r.Fatal(err)
		}
	}
	for name, end := range map[string]func(*rig, *job.Email){
		"expired":   func(*rig, *job.Email) {},
		"opted out": optOut,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachStore(t, func(t *testing.T, r *rig) {
				r.cfg.EvidenceWait = 4 * time.Second
				begin := func(change ...func(*job.Email)) *job.Email {
					e := r.unknownMail(change...)
					r.ends2(e, stats.Unknown)
					end(r, e)
					return e
				}
				soon := func(e *job.Email) { e.SendBefore = time.Now().Unix() + 1 }
				if name == "opted out" {
					soon = func(*job.Email) {}
				}
				r.start()
				silent, shown := begin(soon), begin(soon, func(e *job.Email) { e.To = "b@example.com" })
				r.event(shown, job.EventProcessed, "")
				letter := r.deadLetter(job.QueueEmailDead)
				if letter.ID != string(silent.ID) || letter.Reason != job.ReasonUnknown || letter.Detail != "not sent again: "+name {
					t.Errorf("letter %+v", letter)
				}
				if rec := r.ends(silent, stats.Dead); !strings.HasPrefix(rec.Reason, job.ReasonUnknown) {
					t.Errorf("the record says %q", rec.Reason)
				}
				r.ends(shown, stats.Accepted)
				r.accepted(silent, 1)
				r.accepted(shown, 1)
			})
		})
	}
}

// An attempt that surely failed does not make an earlier one known.
func TestAnUnknownOutcomeStaysUnknownWhenTheNextAttemptFails(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, r *rig) {
		r.cfg.EvidenceWait = time.Second
		e := r.unknownMail(func(e *job.Email) { e.To = "a@example.com" })
		r.start()
		r.ends2(e, stats.Unknown)
		if err := r.sendgrid.SetFaults(faults.Always(faults.Unavailable)); err != nil {
			t.Fatal(err)
		}
		r.eventually("a second attempt", func() bool { rec := r.record(e.ID); return rec.Attempts >= 2 && rec.State != stats.Attempting })
		if rec := r.record(e.ID); rec.State != stats.Unknown {
			t.Errorf("after an attempt that failed the record says %s", rec.State)
		}
		r.event(e, job.EventProcessed, "")
		r.ends(e, stats.Accepted)
		r.accepted(e, 1)
	})
}

// A requeued job comes as its first delivery, of which the ledger is not asked. When it ends without another attempt, the
// record says so all the same, and does not forget that SendGrid may have it.
func TestARequeuedEmailThatExpiresEndsInTheLedger(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, r *rig) {
		r.cfg.Unknown = job.OnUnknownHold
		soon := func(e *job.Email) { e.SendBefore = time.Now().Unix() + 3 }
		unknown, rejected := r.unknownMail(soon), r.mail("reject400@example.com", soon)
		r.start()
		r.ends(unknown, stats.Dead)
		r.enqueue(rejected)
		r.ends(rejected, stats.Rejected)
		r.eventually("both are expired", func() bool { return unknown.Expired(time.Now()) && rejected.Expired(time.Now()) })
		undertaker := deadletter.Undertaker{Queue: r.okq, Stats: r.store.Store}
		for _, e := range []*job.Email{unknown, rejected} {
			letter, found, err := deadletter.Get(t.Context(), r.okq, job.QueueEmailDead, string(e.ID))
			if err != nil || !found {
				t.Fatal("no letter", err)
			}
			if err := undertaker.Requeue(t.Context(), &letter); err != nil {
				t.Fatal(err)
			}
		}
		r.ends(rejected, stats.Expired)
		if rec := r.ends(unknown, stats.Dead); rec.Reason != job.ReasonUnknown+": not sent again: expired" {
			t.Errorf("the record says %q", rec.Reason)
		}
		r.accepted(unknown, 1)
		r.accepted(rejected, 0)
		if n := r.total(job.QueueEmailDead); n != 1 {
			t.Errorf("%d dead letters, want that of the unknown outcome", n)
		}
	})
}

// onEachStore runs a test with SQLite, and with MongoDB if there is one.
func onEachStore(t *testing.T, test func(*testing.T, *rig)) {
	for name, change := range map[string]func(*rig){
		"SQLite": func(*rig) {},
		"Mongo":  func(r *rig) { r.mongo = testenv.Mongo(r.T) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newRig(t, change))
		})
	}
}
