package worker

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func TestMailIsSentOnceAndRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.mail("a@example.com", func(e *job.Email) { e.UniqueID = "u1" })
	r.enqueue(e)
	r.start()
	rec := r.ends(e, stats.Accepted)
	r.accepted(e, 1)
	if rec.Attempts != 1 || rec.Spent() != 1 || rec.MessageID == "" || rec.Recipient != e.To || rec.EmailFlags != 4 ||
		rec.UniqueID != "u1" || rec.Env != "test" {
		t.Errorf("record %+v", rec)
	}
	sent := r.sendgrid.Mails()[0].Request()
	if args := sent.Args(0); args[job.ArgStatsID] != string(e.ID) || args[job.ArgEnvID] != "test" {
		t.Errorf("custom args %v", args)
	}
}

// 0.4.0 wrote neither id nor any newer field, and named the events as it liked.
func TestJobOf040IsSent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const eventID = "7c1f9a3e-1b1d-4b8e-9a55-000000000001"
	r.push(job.QueueEmailNormal, eventID, `{"to":"a@example.com","from":"b@example.org","subject":"s","html":"<b>x</b>","flags":3,"uniqueID":"u"}`)
	r.start()
	r.ends(&job.Email{ID: job.DeriveID(eventID), To: "a@example.com"}, stats.Accepted)
	if n := r.sendgrid.Counters().Accepted; n != 1 {
		t.Errorf("accepted %d", n)
	}
}

func TestExpiredMailIsDroppedAndCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.mail("a@example.com", func(e *job.Email) { e.SendBefore = time.Now().Unix() - 5 })
	r.enqueue(e)
	r.start()
	r.ends(e, stats.Expired)
	r.accepted(e, 0)
	r.counted(r.worker.m.jobs.WithLabelValues("expired"), 1)
}

func TestUndecodableJobIsADeadLetter(t *testing.T) {
	t.Parallel()
	for _, contents := range []string{"no JSON", `{"to":5}`, `[]`, ""} {
		r := newRig(t)
		r.push(job.QueueEmailNormal, "odd", contents)
		r.start()
		letter := r.deadLetter(job.QueueEmailDead)
		if letter.Reason != job.ReasonUndecodable || letter.Detail == "" || string(letter.Contents()) != contents || letter.ID != "odd" {
			t.Errorf("%q: letter %+v", contents, letter)
		}
		r.empty(job.QueueEmailNormal)
	}
}

func TestDeadLetterKeepsUnknownFields(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const contents = `{"to":"not an address","from":"b@example.org","subject":"s","text":"t","flags":0,"futureField":{"a":[1,2]}}`
	r.push(job.QueueEmailNormal, "5f0000000000000000000001", contents)
	r.start()
	letter := r.deadLetter(job.QueueEmailDead)
	if letter.Reason != job.ReasonInvalid || string(letter.Contents()) != contents || letter.Queue != job.QueueEmailNormal {
		t.Errorf("letter %+v: %s", letter, letter.Contents())
	}
	if n := r.sendgrid.Counters().Requests; n != 0 {
		t.Errorf("%d requests for a mail that cannot be sent", n)
	}
}

// wearOut pops an event and gives it back n times.
func (r *rig) wearOut(queue string, n int) {
	r.Helper()
	for range n {
		events, err := r.okq.Pop(r.Context(), queue, 1, time.Minute)
		if err != nil || len(events) != 1 {
			r.Fatal(events, err)
		}
		if _, err := r.okq.Redo(r.Context(), queue, events[0].ID, 0); err != nil {
			r.Fatal(err)
		}
	}
}

// A job that kills the process whenever it is decoded never reaches the ledger: its deliveries are all there is.
func TestWornOutJobIsADeadLetterWithoutBeingDecoded(t *testing.T) {
	t.Parallel()
	for _, withStore := range []bool{true, false} {
		r := newRig(t, func(r *rig) {
			if !withStore {
				r.store = nil
			}
		})
		e := r.mail("a@example.com")
		r.enqueue(e)
		r.wearOut(e.Queue(), r.cfg.MaxDeliveries)
		r.start()
		if letter := r.deadLetter(job.QueueEmailDead); letter.Reason != job.ReasonDeliveries || letter.Deliveries != 4 {
			t.Errorf("letter %+v", letter)
		}
		r.empty(e.Queue())
		r.accepted(e, 0)
	}
}

func TestOptedOutRecipientIsNeverSentTo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, address := range []string{"Out@example.com", "out2@example.com"} {
		if err := r.store.prefs.SetFlags(t.Context(), address, 4, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	out := r.mail("out@example.com")
	otherKind := r.mail("out@example.com", func(e *job.Email) { e.Flags = 2 })
	copies := r.mail("a@example.com", func(e *job.Email) {
		e.CC = []job.Address{{Email: "out@example.com"}, {Email: "in@example.com"}}
		e.BCC = []job.Address{{Email: "OUT2@example.com"}}
	})
	r.enqueue(out, otherKind, copies)
	r.start()
	r.ends(out, stats.OptedOut)
	r.accepted(out, 0)
	r.ends(otherKind, stats.Accepted)
	r.ends(copies, stats.Accepted)
	r.counted(r.worker.m.jobs.WithLabelValues("optedOut"), 1)
	for _, m := range r.sendgrid.Mails() {
		if m.Envelope.Args(0)[job.ArgStatsID] != string(copies.ID) {
			continue
		}
		if got := m.Recipients(); len(got) != 2 || got[0].Email != "a@example.com" || got[1].Email != "in@example.com" {
			t.Errorf("recipients %v", got)
		}
	}
}

func TestStoreAwayMeansNothingIsSentOrDropped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	first := r.mail("first@example.com")
	r.enqueue(first)
	r.ends(first, stats.Accepted)

	r.store.away.Store(true)
	var mails []*job.Email
	for range 200 {
		mails = append(mails, r.mail("a@example.com"))
	}
	r.enqueue(mails...)
	r.eventually("the worker notices", func() bool { return r.worker.gate.waiting() })
	time.Sleep(300 * time.Millisecond) // it goes on doing nothing
	if n := r.sendgrid.Counters().Accepted; n != 1 {
		t.Errorf("%d mails were sent while the store was away", n-1)
	}
	if n := r.total(job.QueueEmailNormal); n != len(mails) {
		t.Errorf("%d jobs are left, want %d", n, len(mails))
	}
	r.store.away.Store(false)
	for _, e := range mails {
		r.ends(e, stats.Accepted)
		r.accepted(e, 1)
	}
}

// waiting tells whether a store is away.
func (g *gate) waiting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.outages) > 0
}

func TestMailThatWasNotSentIsRetried(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.mail("fail503+x2@example.com")
	r.enqueue(e)
	r.start()
	rec := r.ends(e, stats.Accepted)
	r.accepted(e, 1)
	if rec.Attempts != 3 || rec.Spent() != 3 {
		t.Errorf("%d attempts, %d spent, want 3", rec.Attempts, rec.Spent())
	}
}

// However small --max-attempts is, an outage spends none of it.
func TestAttemptsThatSurelyFailAreBoundedByTimeAlone(t *testing.T) {
	t.Parallel()
	for name, mongo := range map[string]bool{"sqlite": false, "mongo": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(r *rig) {
				r.cfg.MaxAttempts, r.cfg.GiveUpAfter = 1, 4*time.Second
				if mongo {
					r.mongo = testenv.Mongo(t)
				}
			})
			e, mended := r.mail("fail503@example.com"), r.mail("fail503+x2@example.com")
			r.enqueue(e, mended)
			r.start()
			began := time.Now()
			rec := r.ends2(mended, stats.Accepted)
			if rec.Attempts != 3 || rec.Failed != 2 {
				t.Errorf("record %+v, want 2 failures before the third attempt", rec)
			}
			letter := r.deadLetter(job.QueueEmailDead)
			if took := time.Since(began); took < 4*time.Second {
				t.Errorf("given up after %v", took)
			}
			if letter.ID != string(e.ID) || letter.Reason != job.ReasonGivenUp || letter.Attempts < 3 || len(letter.Errors) == 0 || letter.Errors[0].Status != 503 || letter.Died == 0 {
				t.Errorf("letter %+v", letter)
			}
			r.ends(e, stats.Dead)
		})
	}
}

func TestRejectedMailIsADeadLetterWithSendGridsErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.mail("reject400@example.com")
	r.enqueue(e)
	r.start()
	letter := r.deadLetter(job.QueueEmailDead)
	if letter.Reason != job.ReasonRejected || letter.Attempts != 1 || len(letter.Errors) == 0 || letter.Errors[0].Message == "" {
		t.Errorf("letter %+v", letter)
	}
	var back job.Email
	if err := json.Unmarshal(letter.Contents(), &back); err != nil || back.ID != e.ID {
		t.Errorf("contents %s", letter.Contents())
	}
	rec := r.ends(e, stats.Rejected)
	if !strings.HasPrefix(rec.Reason, job.ReasonRejected) {
		t.Errorf("reason %q", rec.Reason)
	}
	if n := r.sendgrid.Counters().Requests; n != 1 {
		t.Errorf("%d requests: a 400 must not be repeated", n)
	}
}

func TestScheduledMailAsksForPreferencesWhenItFires(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := time.Now().Add(2 * time.Second)
	e := r.mail("a@example.com", func(e *job.Email) { e.SendAt = at.Unix() })
	r.enqueue(e) // without DELAY, as if it had come back early
	r.start()
	r.eventually("the job is delayed", func() bool { return r.worker.gate.handEmpty() })
	if err := r.store.prefs.SetFlags(t.Context(), e.To, 4, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.ends(e, stats.OptedOut)
	if time.Now().Unix() < e.SendAt {
		t.Errorf("decided before sendAt")
	}
	r.accepted(e, 0)
}

func (g *gate) handEmpty() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hand == 0
}
