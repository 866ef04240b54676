package stats

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A delta is what a number of events says of one mail. Each part has one answer whatever the order and repetition of
// the events: a union of bits, a latest time, first times, the latest reason. Stores apply it with operations of the
// same kind, so it does not matter either how events were split into deltas.
type delta struct {
	bits     int64
	latest   time.Time            // of all events
	evidence map[string]time.Time // when each kind of event first happened
	reason   string               // of the latest bounce or drop
	reasonAt time.Time
}

// The kinds of evidence that are no type of event.
const (
	evidenceMachineOpen = "machine_open" // an open that no person made, apart from the others
	evidenceOther       = "other"        // a type that SendGrid did not have when this was written
)

// maxReason bounds the reason that is kept of an event or a settlement, in bytes.
const maxReason = 1024

// about tells whether an event is about its email's to, rather than a cc or bcc. An event whose address is none counts
// as such. decided is false when only the record knows.
func about(e job.Event) (to, decided bool) {
	if !strings.Contains(e.Email, "@") {
		return true, true
	}
	if f, ok := job.ParseFold(e.StatsID, e.Fold); ok {
		return f.IsTo(e.Email), true
	}
	return false, false
}

// undecided returns the emails whose recipient fold has to be told.
func undecided(events []job.Event) []job.ID {
	seen := map[job.ID]bool{}
	for _, e := range events {
		if _, decided := about(e); e.Ours() && !decided {
			seen[e.StatsID] = true
		}
	}
	return slices.Collect(maps.Keys(seen))
}

// fold turns events into deltas of their mails. Events that are no mail's of ours are left out. recipients are the to of
// at least the undecided emails that have a record.
func fold(events []job.Event, recipients map[job.ID]string) map[job.ID]*delta {
	deltas := map[job.ID]*delta{}
	for _, e := range events {
		if !e.Ours() {
			continue
		}
		d := deltas[e.StatsID]
		if d == nil {
			d = &delta{evidence: map[string]time.Time{}}
			deltas[e.StatsID] = d
		}
		to, decided := about(e)
		d.add(e, to || !decided && job.Key(recipients[e.StatsID]) == job.Key(e.Email))
	}
	return deltas
}

// add adds an event, which is about the email's to or about another recipient.
func (d *delta) add(e job.Event, to bool) {
	at := e.At.UTC().Truncate(time.Second)
	kind := evidence(e)
	if to {
		d.bits |= kindFlag(kind)
	} else {
		kind = CopyPrefix + kind
	}
	d.latest = later(d.latest, at)
	if first, ok := d.evidence[kind]; !ok || at.Before(first) {
		d.evidence[kind] = at
	}
	if !to || e.Type != job.EventBounce && e.Type != job.EventDropped {
		return
	}
	if reason := clip(e.Reason); reason != "" && supersedes(at, reason, d.reasonAt, d.reason) {
		d.reason, d.reasonAt = reason, at
	}
}

// supersedes tells whether one reason is later than another. Of two at the same time the greater text is.
func supersedes(at time.Time, reason string, oldAt time.Time, old string) bool {
	if !at.Equal(oldAt) {
		return at.After(oldAt)
	}
	return reason > old
}

// evidence is the key that an event is kept under. It is one of a fixed set: what SendGrid, or someone with its
// password, makes up must not become a name in a document.
func evidence(e job.Event) string {
	switch e.Type {
	case job.EventOpen:
		if e.Machine {
			return evidenceMachineOpen
		}
		return e.Type
	case job.EventProcessed, job.EventDeferred, job.EventDelivered, job.EventBounce, job.EventDropped, job.EventClick,
		job.EventSpamReport, job.EventUnsubscribe, job.EventGroupUnsubscribe, job.EventGroupResubscribe:
		return e.Type
	}
	return evidenceOther
}

// kindFlag is the bit of the state flags that a kind of evidence sets.
func kindFlag(kind string) int64 {
	switch kind {
	case job.EventDelivered:
		return FlagDelivered
	case job.EventSpamReport:
		return FlagSpamReported
	case job.EventBounce:
		return FlagBounced
	case job.EventDropped:
		return FlagDropped
	case job.EventOpen, evidenceMachineOpen:
		return FlagOpened
	}
	return 0
}

// clip bounds a text for people and makes it one that any database takes.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxReason {
		return s
	}
	end := maxReason
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func millisecond(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
