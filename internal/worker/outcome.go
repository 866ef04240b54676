package worker

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// retry has an email that surely was not sent sent again later, or gives it up after --give-up-after.
func (w *Worker) retry(ctx context.Context, m *mail, r sendgrid.Result) {
	w.fail(m)
	left := w.cfg.GiveUpAfter - m.failing
	if left <= 0 {
		w.bury(ctx, m, death{reason: m.givenUp(), detail: r.Reason(), errors: r.Errors})
		return
	}
	w.settle(ctx, m, m.open(r.Reason()))
	delay := min(backoff(m.failed), max(left, time.Second))
	w.m.jobs.WithLabelValues("retried").Inc()
	w.about(m, w.log.Warn()).Int("attempt", m.attempts).Int("status", r.Status).AnErr("error", r.Err).
		Dur("delay_ms", delay).Msg("not sent, will retry")
	w.untried(ctx, m, delay)
}

// doubt has a mail that SendGrid may have looked at again once an event had the time to come. Without a ledger none can.
// If it is final, none is waited for.
func (w *Worker) doubt(ctx context.Context, m *mail, r sendgrid.Result, final bool) {
	w.m.unknown.WithLabelValues("opened").Inc()
	w.about(m, w.log.Warn()).Int("attempt", m.attempts).Int("status", r.Status).AnErr("error", r.Err).Msg("outcome unknown")
	if final || w.deps.Stats == nil && (w.holds(m.email) || w.spent(m) >= w.cfg.MaxAttempts) {
		w.bury(ctx, m, death{reason: job.ReasonUnknown, detail: r.Reason(), errors: r.Errors})
		return
	}
	w.settle(ctx, m, stats.Settlement{State: stats.Unknown, Reason: r.Reason()})
	w.m.jobs.WithLabelValues("unknown").Inc()
	w.later(ctx, m, w.cfg.EvidenceWait)
}

// release takes back an attempt that came to nothing through no fault of the mail: it does not count.
func (w *Worker) release(ctx context.Context, m *mail) {
	m.free++
	w.settle(ctx, m, m.open(""))
}

// putOff releases an email that SendGrid surely did not take, at no cost: its sending is stopped.
func (w *Worker) putOff(ctx context.Context, m *mail, r sendgrid.Result, delay time.Duration) {
	w.about(m, w.log.Debug()).Int("status", r.Status).Stringer("outcome", r.Outcome).Dur("delay_ms", delay).Msg("not taken, will retry")
	w.release(ctx, m)
	w.untried(ctx, m, delay)
}

// untried releases an email for a time, at no cost: without a record in the ledger, the delivery does not count. With one
// it does, which says that there is a record to look up.
func (w *Worker) untried(ctx context.Context, m *mail, delay time.Duration) {
	if w.deps.Stats != nil && m.attempts > 0 {
		w.later(ctx, m, delay)
		return
	}
	if err := m.Release(context.WithoutCancel(ctx), delay); err != nil {
		w.about(m, w.log.Warn()).Err(err).Msg("cannot release, the job returns when its lease expires")
	}
}

// drop ends a mail that is not to be sent. One that SendGrid may have already becomes a dead letter instead.
func (w *Worker) drop(ctx context.Context, m *mail, state stats.State, why string) {
	if m.unsure {
		w.bury(ctx, m, death{reason: job.ReasonUnknown, detail: "not sent again: " + why})
		return
	}
	if !w.settle(ctx, m, stats.Settlement{State: state, Reason: why}) {
		w.unsettled(ctx, m)
		return
	}
	w.m.jobs.WithLabelValues(string(state)).Inc()
	w.end(ctx, m, why)
}

// unsettled releases an email that the ledger has no room for, with a growing delay. When the process is being stopped,
// the consumer releases it.
func (w *Worker) unsettled(ctx context.Context, m *mail) {
	if ctx.Err() == nil {
		w.later(ctx, m, backoff(m.Deliveries))
	}
}

// settle writes what became of the mail, and returns false when it could not be before ctx ended.
func (w *Worker) settle(ctx context.Context, m *mail, s stats.Settlement) bool {
	if w.deps.Stats == nil {
		return true
	}
	s.Subject, s.Number, s.At = w.subject(m), m.attempts, time.Now()
	s.Free, s.Failed, s.Failing = m.free, m.failed, m.failing
	if _, err := w.settles.do(ctx, s); err != nil {
		w.complain(ctx, err, "settle attempt")
		return false
	}
	return true
}

// end finishes a job and says how: one line for each mail.
func (w *Worker) end(ctx context.Context, m *mail, how string) {
	w.about(m, w.log.Info()).Int("attempt", m.attempts).Msg(how)
	w.ack(ctx, m)
}

// sent finishes a job that SendGrid accepted and the ledger knows.
func (w *Worker) sent(ctx context.Context, m *mail, r sendgrid.Result, took time.Duration) {
	w.m.jobs.WithLabelValues("sent").Inc()
	w.m.attempts.Observe(float64(max(w.tries(m), 1)))
	w.about(m, w.log.Info()).Int("attempt", m.attempts).Int("status", r.Status).Str("sg_message_id", r.MessageID).
		Dur("took_ms", took).Msg("sent")
	w.ack(ctx, m)
}

// ack ends a job. If it fails the job comes again, and the ledger ends it then.
func (w *Worker) ack(ctx context.Context, m *mail) {
	if err := m.Ack(ctx); err != nil {
		w.about(m, w.log.Warn()).Err(err).Msg("cannot ack, the job will come again")
	}
}

// later gives a job back to its queue for a time. If that fails, the end of its lease does the same.
func (w *Worker) later(ctx context.Context, m *mail, delay time.Duration) {
	if err := m.Redo(context.WithoutCancel(ctx), delay); err != nil {
		w.about(m, w.log.Warn()).Err(err).Msg("cannot give back, the lease will")
	}
}

const (
	firstBackoff = time.Second
	maxBackoff   = 10 * time.Minute
)

// backoff is how long to wait after the nth failure: at random up to a bound that doubles each time, so that mails that
// failed together do not come together.
func backoff(n int) time.Duration {
	bound := maxBackoff
	if shift := max(n, 1) - 1; shift < 10 {
		bound = min(firstBackoff<<shift, maxBackoff)
	}
	return bound/10 + rand.N(bound-bound/10)
}
