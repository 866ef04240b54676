package worker

import (
	"context"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// recall reads the ledger for the mails that may have been here before, and ends those that were so often without
// ever reaching it: before they are decoded, since that may be what kills the process.
func (b *batch) recall(mails []*mail) []*mail {
	if b.w.deps.Stats != nil {
		if err := b.lookup(mails); err != nil {
			return b.oneByOne(mails, err, "look up emails", b.recall)
		}
	}
	return b.each(mails, func(m *mail) bool {
		if m.rec != nil || m.attempts > 0 || m.Deliveries <= b.w.maxDeliveries() {
			return true
		}
		b.beside(m, func(m *mail) { b.w.bury(b.jobs, m, death{reason: job.ReasonDeliveries}) })
		return false
	})
}

// lookup fills in the records, in one query.
func (b *batch) lookup(mails []*mail) error {
	var ids []job.ID
	for _, m := range mails {
		if m.lookup {
			ids = append(ids, m.id())
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var records map[job.ID]*stats.Record
	err := b.w.stored(b.waiting, "lookup", func(ctx context.Context) (err error) {
		records, err = b.w.deps.Stats.Lookup(ctx, ids)
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range mails {
		if m.lookup {
			m.remember(records[m.id()])
		}
	}
	return nil
}

// unrecorded tells whether a mail that is to end without an attempt has no record, or one that is known: else what it ends
// as would not be written. A first delivery that has a record after all goes round again, to be judged by it first.
func (b *batch) unrecorded(m *mail) bool {
	if b.w.deps.Stats == nil || m.known || m.attempts > 0 {
		return true
	}
	rec, err := b.w.lookups.do(b.waiting, m.id())
	if err != nil {
		b.w.complain(b.waiting, err, "look up email")
		if b.waiting.Err() == nil {
			b.w.later(b.jobs, m, backoff(m.Deliveries))
		}
		return false
	}
	if m.remember(rec); rec == nil {
		return true
	}
	b.repeat(m)
	return false
}

// drop ends a mail that is not to be sent.
func (b *batch) drop(m *mail, v veto) {
	if b.unrecorded(m) {
		b.w.drop(b.jobs, m, v.state, v.why)
	}
}

// judge finishes the mails that the ledger proves are done with, and makes those wait whose outcome may yet show.
func (b *batch) judge(m *mail) bool {
	if m.rec == nil {
		return true
	}
	rec := m.rec
	m.rec = nil // judged; should the mail go round again, its attempts are what counts
	switch rec.Outcome() {
	case stats.Accepted:
		if rec.State == stats.Attempting || rec.State == stats.Unknown {
			b.w.m.unknown.WithLabelValues("evidence").Inc()
		}
		b.beside(m, func(m *mail) { b.w.end(b.jobs, m, "already accepted") })
		return false
	case stats.OptedOut, stats.Expired:
		b.beside(m, func(m *mail) { b.w.end(b.jobs, m, "already dropped") })
		return false
	case stats.Rejected, stats.Dead:
		// Only the ledger raises the dead: a requeue makes the record Retrying before it pushes the job. This is a second
		// push of the same ID, or the job of a worker that died before the ack.
		b.beside(m, func(m *mail) { b.w.bury(b.jobs, m, deathOf(rec)) })
		return false
	case stats.Attempting, stats.Unknown:
		return b.doubtful(m, rec)
	}
	return true
}

// doubtful decides about a mail that SendGrid may or may not have: it waits for an event until events could arrive and be
// folded for all of --evidence-wait since the attempt, and then does what the mail, or --unknown, says.
func (b *batch) doubtful(m *mail, rec *stats.Record) bool {
	left := b.w.evidence.left(rec.Attempted, b.w.cfg.EvidenceWait)
	if left <= lookAgain {
		b.look()
		left = b.w.evidence.left(rec.Attempted, b.w.cfg.EvidenceWait)
	}
	if left > 0 {
		b.beside(m, func(m *mail) { b.w.later(b.jobs, m, left) })
		return false
	}
	if b.w.holds(m.email) || b.w.spent(m) >= b.w.cfg.MaxAttempts {
		b.beside(m, func(m *mail) { b.w.bury(b.jobs, m, death{reason: job.ReasonUnknown, detail: rec.Reason}) })
		return false
	}
	m.unsure = true
	b.w.m.unknown.WithLabelValues("resend").Inc()
	b.w.about(m, b.w.log.Warn()).Int("attempt", m.attempts).Msg("outcome unknown, sending again")
	return true
}

// holds tells whether a mail of unknown outcome becomes a dead letter rather than being sent again.
func (w *Worker) holds(e *job.Email) bool {
	if e.OnUnknown != "" {
		return e.OnUnknown == job.OnUnknownHold
	}
	return w.cfg.Unknown == job.OnUnknownHold
}
