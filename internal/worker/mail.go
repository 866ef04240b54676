package worker

import (
	"strings"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// A mail is a job in hand. Only one goroutine at a time has it.
type mail struct {
	*okq.Delivery
	email *job.Email // nil until it is decoded
	asked time.Time  // when the preferences were last read

	parent string // traceparent of its job; empty: it is not traced

	// What the ledger says; nil when it knows nothing of the mail. A first delivery is not looked up: that its attempt
	// cannot begin is how a record that there is after all shows.
	rec    *stats.Record
	lookup bool // rec has to be read

	// unsure is set while an earlier attempt is of unknown outcome, whatever later attempts came to. SendGrid may have the
	// email, so the ledger must not say that it was not sent.
	unsure   bool
	requeued bool // and somebody decided to have it sent again

	known bool // the ledger was read

	attempts   int           // the number of the latest attempt
	free       int           // how many of them do not count
	failed     int           // how many of the others surely were not sent
	failing    time.Duration // since the first of those, see giveup.go
	attempted  time.Time     // when the latest began
	previous   time.Time     // when the one before it began
	announcing time.Duration // how long the ledger took to take it
}

// newMail is a mail that was just popped. Servers that do not tell deliveries may have popped it before.
func newMail(d *okq.Delivery) *mail { return &mail{Delivery: d, lookup: d.Deliveries != 1} }

// high tells whether it goes before others.
func (m *mail) high() bool { return m.Queue == job.QueueEmailHigh }

// id names the mail in the ledger, decoded or not: the event of a job is called by the job's id.
func (m *mail) id() job.ID {
	if m.email != nil {
		return m.email.ID
	}
	return job.DeriveID(m.ID)
}

// remember takes over what the ledger says.
func (m *mail) remember(rec *stats.Record) {
	m.rec, m.lookup, m.known = rec, false, true
	if rec != nil {
		m.attempts, m.free, m.attempted = rec.Attempts, rec.Free, rec.Attempted
		m.requeued = rec.State == stats.Retrying && strings.HasPrefix(rec.Reason, stats.RequeuedUnknown)
		m.unsure = m.unsure || m.requeued
		m.failed, m.failing = rec.Failed, rec.Failing
	}
}

// tries is how many attempts are shown to people. Without a ledger each delivery was one, and so was each failure.
func (w *Worker) tries(m *mail) int {
	if w.deps.Stats == nil {
		return m.Deliveries + max(m.failed-1, 0)
	}
	return m.attempts - m.free
}

// spent is how many attempts count against --max-attempts: those that SendGrid may have taken.
func (w *Worker) spent(m *mail) int {
	if w.deps.Stats == nil {
		return m.Deliveries
	}
	return m.attempts - m.free - m.failed
}

// open is the settlement of a mail whose latest attempt was surely not taken.
func (m *mail) open(reason string) stats.Settlement {
	switch {
	case m.requeued:
		return stats.Settlement{State: stats.Retrying, Reason: strings.TrimSuffix(stats.RequeuedUnknown+": "+reason, ": ")}
	case m.unsure:
		return stats.Settlement{State: stats.Unknown, Reason: reason}
	}
	return stats.Settlement{State: stats.Retrying, Reason: reason}
}

// givenUp is why an email is given up that is not tried any more.
func (m *mail) givenUp() string {
	if m.unsure {
		return job.ReasonUnknown
	}
	return job.ReasonGivenUp
}

// subject is what the ledger says of the mail from the first write on.
func (w *Worker) subject(m *mail) stats.Subject {
	s := stats.Subject{ID: m.id(), Env: w.cfg.Environment, Created: time.Now()}
	if e := m.email; e != nil {
		s.Recipient, s.EmailFlags, s.UniqueID, s.Fold = e.To, e.Flags, e.UniqueID, e.Fold()
	}
	return s
}
