package worker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// sent is a mail that SendGrid has.
func (r *rig) sent(to string) *job.Email {
	r.Helper()
	e := r.mail(to)
	s := stats.Subject{ID: e.ID, Recipient: e.To, EmailFlags: e.Flags, Created: time.Now()}
	if err := r.store.Store.Settle(r.Context(), []stats.Settlement{{Subject: s, State: stats.Accepted, At: time.Now()}}); err != nil {
		r.Fatal(err)
	}
	return e
}

func (r *rig) flagsOf(address string) int64 {
	r.Helper()
	flags, err := r.store.prefs.Flags(r.Context(), []string{address})
	if err != nil {
		r.Fatal(err)
	}
	return flags[address]
}

func TestEventsFoldIntoTheirMailsRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	delivered, opened, bounced := r.sent("a@example.com"), r.sent("b@example.com"), r.sent("c@example.com")
	r.event(delivered, job.EventDelivered, "")
	r.event(opened, job.EventOpen, "")
	r.event(bounced, job.EventBounce, `,"type":"bounce","reason":"550 no such user"`)
	r.start()
	r.empty(job.QueueStats)
	for e, want := range map[*job.Email]int64{delivered: stats.FlagDelivered, opened: stats.FlagOpened, bounced: stats.FlagBounced} {
		if got := r.record(e.ID).StateFlags; got != want {
			t.Errorf("%s: state flags %d, want %d", e.To, got, want)
		}
	}
	if got := r.record(bounced.ID).Error; got != "550 no such user" {
		t.Errorf("reason %q", got)
	}
}

// What 0.4.0 queued was one object, with the id under its older name.
func TestEventOf040Folds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.sent("a@example.com")
	r.push(job.QueueStats, "0.4.0", fmt.Sprintf(`{"event":"delivered","email":"a@example.com","timestamp":%d,"stats_id":%q}`, time.Now().Unix(), e.ID))
	r.start()
	r.empty(job.QueueStats)
	if got := r.record(e.ID).StateFlags; got != stats.FlagDelivered {
		t.Errorf("state flags %d", got)
	}
}

func TestOneBadElementCostsOnlyItself(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.sent("a@example.com")
	r.push(job.QueueStats, "mixed", fmt.Sprintf(
		`[5,null,{"no":"name"},{"event":"delivered","email":"x@example.com"},{"event":"open","email":7,"timestamp":"soon","pmStatsID":%q}]`, e.ID))
	r.start()
	r.empty(job.QueueStats)
	if got := r.record(e.ID).StateFlags; got != stats.FlagOpened {
		t.Errorf("state flags %d", got)
	}
	r.counted(r.worker.m.events.WithLabelValues("other", "bad"), 3)
	r.counted(r.worker.m.events.WithLabelValues(job.EventDelivered, "foreign"), 1)
	if n := r.total(job.QueueStatsDead); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

func TestUndecodableEventsAreADeadLetter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.push(job.QueueStats, "odd", "no events")
	r.start()
	letter := r.deadLetter(job.QueueStatsDead)
	if letter.Reason != job.ReasonUndecodable || string(letter.Contents()) != "no events" || letter.Queue != job.QueueStats {
		t.Errorf("letter %+v", letter)
	}
	r.empty(job.QueueStats)
}

func TestUnsubscribingOptsOutOfTheMailsKindsAlone(t *testing.T) {
	t.Parallel()
	for _, eventType := range []string{job.EventUnsubscribe, job.EventGroupUnsubscribe} {
		r := newRig(t)
		e := r.sent("a@example.com")
		r.event(e, eventType, "")
		r.start()
		r.empty(job.QueueStats)
		if got := r.flagsOf("a@example.com"); got&^job.FlagsAllAllowed != 4 {
			t.Errorf("%s: flags %d, want 4", eventType, got)
		}
	}
}

func TestResubscribingEndsAnOptOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.sent("a@example.com")
	if err := r.store.prefs.SetFlags(t.Context(), e.To, 4|8, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	r.event(e, job.EventGroupResubscribe, "")
	r.start()
	r.empty(job.QueueStats)
	if got := r.flagsOf(e.To); got&^job.FlagsAllAllowed != 8 {
		t.Errorf("flags %d, want 8", got)
	}
}

func TestOneClickOptsOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, err := job.EncodeOneClick("a@example.com", 16, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r.push(job.QueueStats, "click", "["+string(one)+"]")
	r.start()
	r.empty(job.QueueStats)
	if got := r.flagsOf("a@example.com"); got&^job.FlagsAllAllowed != 16 {
		t.Errorf("flags %d, want 16", got)
	}
}

func TestManyBatchesFoldTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var mails []*job.Email
	for i := range 300 {
		e := r.sent(fmt.Sprintf("a%d@example.com", i))
		mails = append(mails, e)
		r.event(e, job.EventDelivered, "")
	}
	r.start()
	r.empty(job.QueueStats)
	for _, e := range mails {
		if got := r.record(e.ID).StateFlags; got != stats.FlagDelivered {
			t.Fatalf("%s: state flags %d", e.To, got)
		}
	}
	r.counted(r.worker.m.events.WithLabelValues(job.EventDelivered, "folded"), 300)
}

func TestEventsWaitForTheStore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.sent("a@example.com")
	stop := r.start()
	r.store.away.Store(true)
	r.event(e, job.EventDelivered, "")
	r.eventually("the worker notices", func() bool { return r.worker.gate.waiting() })
	if n := r.total(job.QueueStats); n != 1 {
		t.Errorf("%d batches are left, want 1", n)
	}
	stop() // and it does not wait for the store to stop
	r.store.away.Store(false)
	r.start()
	r.empty(job.QueueStats)
	if got := r.record(e.ID).StateFlags; got != stats.FlagDelivered {
		t.Errorf("state flags %d", got)
	}
}

func TestMadeUpEventTypesDoNotMakeMetrics(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"something_new", strings.Repeat("x", 1000), ""} {
		if got := typeLabel(name); got != "other" {
			t.Errorf("%.20q is labelled %.20q", name, got)
		}
	}
}

// An error about one email's document delays that POST's events alone.
func TestAnErrorAboutADocumentDelaysOnlyItsEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	odd, mails := r.mail("odd@example.com"), r.mails(20, "a@example.com")
	r.enqueue(append(mails, odd)...)
	stop := r.start()
	for _, e := range append(mails, odd) {
		r.ends2(e, stats.Accepted)
	}
	stop()
	r.store.failOn(odd.ID, mongo.CommandError{Code: 2, Message: "BadValue"})
	for _, e := range append(mails, odd) {
		r.event(e, job.EventDelivered, "")
	}
	r.start()
	delivered := func(e *job.Email) bool { return r.record(e.ID).StateFlags&stats.FlagDelivered != 0 }
	r.eventually("the others fold", func() bool { return !slices.ContainsFunc(mails, func(e *job.Email) bool { return !delivered(e) }) })
	if delivered(odd) {
		t.Error("the odd one folded")
	}
	r.store.failOn(odd.ID, nil)
	r.eventually("the odd one folds", func() bool { return delivered(odd) })
}

// An error about one email's document keeps no event of the same POST from being folded.
func TestAnErrorAboutADocumentSparesTheEventsOfItsPost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	odd, good := r.mail("odd@example.com"), r.mail("a@example.com")
	r.enqueue(odd, good)
	stop := r.start()
	r.ends2(odd, stats.Accepted)
	r.ends2(good, stats.Accepted)
	stop()
	r.store.failOn(odd.ID, mongo.CommandError{Code: 2, Message: "BadValue"})
	event := func(e *job.Email) string {
		return fmt.Sprintf(`{"event":"delivered","email":%q,"timestamp":%d,"pmStatsID":%q,"pmEnvID":"test"}`, e.To, time.Now().Unix(), e.ID)
	}
	r.push(job.QueueStats, string(job.NewID()), "["+event(odd)+","+event(good)+"]")
	r.start()
	delivered := func(e *job.Email) bool { return r.record(e.ID).StateFlags&stats.FlagDelivered != 0 }
	r.eventually("the other event folds", func() bool { return delivered(good) })
	if delivered(odd) {
		t.Error("the odd one folded")
	}
	r.store.failOn(odd.ID, nil)
	r.eventually("the odd one folds", func() bool { return delivered(odd) })
}
