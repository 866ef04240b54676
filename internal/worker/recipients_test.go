package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func TestPreferencesChangeOnlyForRecipientsOfKnownEmails(t *testing.T) {
	t.Parallel()
	id := job.NewID()
	email := &job.Email{ID: id, To: "Kunde@Bücher.example", Flags: 4, CC: []job.Address{{Email: "cc@example.com"}}, BCC: []job.Address{{Email: "bcc@example.com"}}}
	fold := email.Fold()
	record := func(fold string) *stats.Record {
		return &stats.Record{ID: id, Recipient: email.To, EmailFlags: 4, Fold: fold}
	}
	const to, cc, other = "kunde@xn--bcher-kva.example", "CC@example.com", "other@example.com"
	for _, c := range []struct {
		name    string
		rec     *stats.Record
		address string
		fold    string
		signed  bool
		ignored string
	}{
		{"to, by its record", record(""), to, "", false, ""},
		{"to, by its newer record", record(fold), to, "", false, ""},
		{"cc, by its record", record(fold), cc, "", false, ""},
		{"cc, of a record that does not say, signed", record(""), cc, "", true, ""},
		{"cc, of a record that does not say", record(""), cc, "", false, ignoredRecipient},
		{"cc, of a record that does not say, forged", record(""), cc, fold, false, ignoredRecipient},
		{"another, of a record that does not say, but signed", record(""), other, fold, true, ignoredRecipient},
		{"another, by its record", record(fold), other, "", true, ignoredRecipient},
		{"another, by its record, unsigned", record(fold), other, "", false, ignoredRecipient},
		{"to, pruned, signed", nil, to, fold, true, ""},
		{"bcc, pruned, signed", nil, "bcc@example.com", fold, true, ""},
		{"another, pruned, signed", nil, other, fold, true, ignoredRecipient},
		{"to, pruned, unsigned", nil, to, fold, false, ignoredUnknown},
		{"to, pruned, signed, without pmFold", nil, to, "", true, ignoredUnknown},
		{"to, pruned, signed, of another version", nil, to, "2" + fold[1:], true, ignoredUnknown},
	} {
		k := known{}
		if c.rec != nil {
			k[id] = c.rec
		}
		e := job.Event{Type: job.EventUnsubscribe, StatsID: id, Email: c.address, Fold: c.fold, Signed: c.signed}
		flags, ignored := k.concern(e)
		if ignored != c.ignored || ignored == "" && flags != 4 {
			t.Errorf("%s: flags %d, ignored %q, want %q", c.name, flags, ignored, c.ignored)
		}
	}
	e := job.Event{Type: job.EventGroupResubscribe, StatsID: id, Email: cc, Signed: true}
	if _, ignored := (known{id: record("")}).concern(e); ignored == "" {
		t.Error("in doubt an opt-in won")
	}
}

func TestAnUnsubscribeOutlivesItsRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	gone := &job.Email{ID: job.NewID(), To: "gone@example.com", Flags: 4}
	contents := func(address string) string {
		return fmt.Sprintf(`[{"event":"unsubscribe","email":%q,"timestamp":%d,"pmStatsID":%q,"pmFold":%q}]`, address, time.Now().Unix(), gone.ID, gone.Fold())
	}
	r.push(job.QueueStats, job.StatsEventID(make([]byte, 32), true), contents("gone@example.com"))
	r.push(job.QueueStats, job.StatsEventID([]byte("another signed hash of 32 bytes."), true), contents("other@example.com"))
	r.push(job.QueueStats, job.StatsEventID(make([]byte, 32), false), contents("third@example.com"))
	r.start()
	r.empty(job.QueueStats)
	for address, want := range map[string]int64{"gone@example.com": 4, "other@example.com": 0, "third@example.com": 0} {
		if got := r.flagsOf(address); got&^job.FlagsAllAllowed != want {
			t.Errorf("%s: flags %d, want %d", address, got, want)
		}
	}
	r.counted(r.worker.m.ignored.WithLabelValues(ignoredRecipient), 1)
	r.counted(r.worker.m.ignored.WithLabelValues(ignoredUnknown), 1)
}

func TestAnUnsubscribeWithoutATimeCountsFromNow(t *testing.T) {
	t.Parallel()
	for _, timestamp := range []string{`"soon"`, "9999999999"} {
		r := newRig(t)
		e := r.sent("a@example.com")
		if err := r.store.prefs.SetFlags(t.Context(), e.To, 8, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		r.push(job.QueueStats, "x", fmt.Sprintf(`[{"event":"unsubscribe","email":%q,"timestamp":%s,"pmStatsID":%q}]`, e.To, timestamp, e.ID))
		r.start()
		r.empty(job.QueueStats)
		if got := r.flagsOf(e.To); got != 4|8 {
			t.Errorf("timestamp %s: flags %d, want 12", timestamp, got)
		}
		about, err := r.store.prefs.About(t.Context(), e.To)
		if err != nil || about.Updated.After(time.Now().Add(time.Minute)) {
			t.Errorf("timestamp %s: updated %v, %v", timestamp, about.Updated, err)
		}
	}
}
