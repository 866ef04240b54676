package worker

import (
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// The promises that lean on the store, over MongoDB.
func TestLifeOfMailsWithMongoDB(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) {
		r.mongo = testenv.Mongo(t)
		r.cfg.Unknown, r.cfg.EvidenceWait = job.OnUnknownHold, time.Second
	})
	if err := r.store.prefs.SetFlags(t.Context(), "out@example.com", 4, time.Now()); err != nil {
		t.Fatal(err)
	}
	unknown, out := r.unknownMail(), r.mail("out@example.com")
	r.start()
	if letter := r.deadLetter(job.QueueEmailDead); letter.ID != string(unknown.ID) || letter.Reason != job.ReasonUnknown {
		t.Errorf("letter %+v", letter)
	}
	mails, retried, rejected := r.mails(200, "a@example.com"), r.mail("fail503+x1@example.com"), r.mail("reject400@example.com")
	r.enqueue(append(mails, out, retried, rejected)...)
	for _, e := range append(mails, retried) {
		r.ends2(e, stats.Accepted)
		r.accepted(e, 1)
	}
	r.ends(out, stats.OptedOut)
	r.accepted(out, 0)
	r.ends2(rejected, stats.Rejected)
	r.event(mails[0], job.EventDelivered, "")
	r.event(mails[1], job.EventUnsubscribe, "")
	r.empty(job.QueueStats)
	if got := r.record(mails[0].ID).StateFlags; got != stats.FlagDelivered {
		t.Errorf("state flags %d", got)
	}
	again := r.mail("a@example.com")
	r.enqueue(again)
	r.ends(again, stats.OptedOut)
}
