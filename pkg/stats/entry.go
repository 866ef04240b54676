package stats

import (
	"maps"
	"time"
)

// An entry is a record as it is stored. Its methods say what Begin, Settle and Fold do to a record: the SQLite store
// calls them, and MongoDB is asked for the same in its own operators, which the tests compare with these.
type entry struct {
	Record             // Error is the reason of events alone until shown adds the ledger's
	reasonAt time.Time // of Record.Error, when it is of an event
}

// newEntry is the record of a mail that nothing has been done about.
func newEntry(s Subject) *entry {
	return &entry{Record: Record{
		ID: s.ID, Recipient: s.Recipient, EmailFlags: s.EmailFlags, UniqueID: s.UniqueID, Env: s.Env,
		Created: millisecond(s.Created), Updated: millisecond(s.Created), Fold: s.Fold,
	}}
}

// begin makes a the latest attempt if the ledger stands at the one before, and tells whether it is now.
func (e *entry) begin(a Attempt) bool {
	if e.accepted() || e.State.final() {
		return false
	}
	if e.Attempts == a.Number && e.Token == a.Token {
		return true // this call has been made before
	}
	if e.Attempts != a.Number-1 {
		return false
	}
	at := millisecond(a.At)
	e.State, e.Attempts, e.Token, e.Attempted = Attempting, a.Number, a.Token, at
	e.Updated = later(e.Updated, at)
	return true
}

// settle writes an outcome if it stands.
func (e *entry) settle(s Settlement) {
	switch {
	case s.State == Accepted:
		e.Attempts = max(e.Attempts, s.Number)
		e.MessageID = s.MessageID
	case e.accepted() || e.Attempts != s.Number:
		return
	}
	e.State, e.Free, e.Reason = s.State, s.Free, clip(s.Reason)
	if s.State != Accepted {
		e.Failed, e.Failing = s.Failed, s.Failing.Truncate(time.Millisecond)
	}
	e.Updated = later(e.Updated, millisecond(s.At))
}

// fold adds events.
func (e *entry) fold(d *delta) {
	e.StateFlags |= d.bits
	e.Updated = later(e.Updated, d.latest)
	e.Evidence = maps.Clone(e.Evidence)
	if e.Evidence == nil {
		e.Evidence = map[string]time.Time{}
	}
	for kind, at := range d.evidence {
		if first, ok := e.Evidence[kind]; !ok || at.Before(first) {
			e.Evidence[kind] = at
		}
	}
	if d.reason != "" && supersedes(d.reasonAt, d.reason, e.reasonAt, e.Error) {
		e.Error, e.reasonAt = d.reason, d.reasonAt
	}
}

// accepted tells whether the mail is SendGrid's.
func (e *entry) accepted() bool { return e.Outcome() == Accepted }

// after tells whether the mail was created after that of r.
func (e *entry) after(r *Record) bool {
	if !e.Created.Equal(r.Created) {
		return e.Created.After(r.Created)
	}
	return e.ID > r.ID
}

// shown is the record for the world.
func (e *entry) shown() *Record {
	r := e.Record
	if r.Error == "" && r.State == Rejected {
		r.Error = r.Reason
	}
	return &r
}
