package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/internal/sendcontrol"
	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

var errNoTime = errors.New("the lease would end before the send")

// deliver makes one attempt to send a mail. It leaves the mail finished, or going round again, or, when the process is
// stopped first, unfinished.
func (b *batch) deliver(m *mail) {
	w := b.w
	who := sendcontrol.Email{ID: m.id(), Sender: m.email.From, To: m.email.To}
	if delay := w.control.Hold(who); delay > 0 {
		w.untried(b.jobs, m, delay)
		return
	}
	if !w.starts.acquire(b.waiting, m.high()) {
		return
	}
	w.underWay.Add(1)
	defer w.underWay.Add(-1)
	posted := sync.OnceFunc(w.starts.release)
	defer posted()
	if !b.keepRate(m) {
		return
	}
	turn, delay := w.control.Acquire(who)
	switch {
	case turn == nil && delay > 0:
		w.untried(b.jobs, m, delay)
		return
	case turn == nil:
		b.repeat(m)
		return
	}
	defer turn.End()
	switch v, err := b.vetoed(b.waiting, m); {
	case err != nil:
		b.repeat(m)
		return
	case v != nil:
		b.drop(m, *v)
		return
	}
	if !b.begin(m) {
		return
	}
	span := w.deps.Tracer.Send(m.parent, string(m.id()), m.attempts)
	defer span.End()
	if m.email.TraceParent = ""; span.Sampled() {
		m.email.TraceParent = span.Parent() // it comes back on each of the mail's events
	}
	result, sent, v := b.post(m, turn)
	posted() // what follows need not keep others from being posted
	switch {
	case v != nil:
		m.free++
		b.drop(m, *v)
		return
	case !sent:
		w.release(b.jobs, m)
		b.repeat(m)
		return
	}
	span.Set("outcome", result.Outcome.String())
	if result.Outcome != sendgrid.Accepted {
		span.Fail(result.Outcome.String())
	}
	w.conclude(b, m, result, turn.Report(result))
}

// begin writes the attempt into the ledger. If the ledger does not stand where it should, the mail goes round again and
// is looked up.
func (b *batch) begin(m *mail) bool {
	w := b.w
	if err := w.timeLeft(m); err != nil {
		return false
	}
	m.previous, m.attempted = m.attempted, time.Now()
	if w.deps.Stats == nil {
		m.attempts++
		return true
	}
	attempt := stats.Attempt{Subject: w.subject(m), Number: m.attempts + 1, Token: w.tokens.next(), At: m.attempted}
	won, err := w.begins.do(m.Context(), attempt)
	m.announcing = time.Since(m.attempted)
	switch {
	case err != nil:
		w.complain(m.Context(), err, "begin attempt")
		if m.Context().Err() == nil {
			w.later(b.jobs, m, backoff(m.Deliveries))
		}
		return false
	case !won:
		m.lookup = true
		b.repeat(m)
		return false
	}
	m.attempts++
	return true
}

// timeLeft fails when the lease cannot be extended and ends before a send would.
func (w *Worker) timeLeft(m *mail) error {
	ctx := m.Context()
	if err := ctx.Err(); err != nil {
		return err
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < w.cfg.SendTimeout {
		return errNoTime
	}
	return nil
}

// post sends the mail unless something has come up since the attempt began: the gate was closed; the email is not to be
// sent any more; or writing the attempt took so long, for want of a store, that its time is no use for waiting for
// evidence any more.
func (b *batch) post(m *mail, turn *sendcontrol.Turn) (result sendgrid.Result, sent bool, v *veto) {
	w := b.w
	if !w.starts.posts.acquire(m.Context(), m.high()) {
		return result, false, nil
	}
	defer w.starts.posts.release()
	v, err := b.vetoed(m.Context(), m)
	if v != nil || err != nil {
		return result, false, v
	}
	stale := time.Since(m.attempted) > max(w.cfg.EvidenceWait/2, 5*time.Second)
	if stale && w.deps.Stats != nil || !turn.Valid() || w.timeLeft(m) != nil {
		return result, false, nil
	}
	w.m.inFlight.Inc()
	defer w.m.inFlight.Dec()
	ctx, cancel := context.WithTimeout(m.Context(), w.cfg.SendTimeout)
	defer cancel()
	turn.Post()
	start := time.Now()
	result = w.deps.Sender.Send(ctx, m.email)
	took := time.Since(start)
	w.m.sendSeconds.Observe(took.Seconds())
	w.starts.learn(m.announcing, took)
	return result, true, nil
}

// keepRate waits until --rate allows another mail, or returns false when the process is stopped first. One waits at a
// time, so that those of high priority need not wait for all that came before.
func (b *batch) keepRate(m *mail) bool {
	w := b.w
	if w.cfg.Rate == 0 {
		return true
	}
	if !w.paced.acquire(b.waiting, m.high()) {
		return false
	}
	defer w.paced.release()
	return w.rate.Wait(b.waiting) == nil
}

// conclude does what a verdict asks for. The ledger is always written before okq is told: the other way round a kill
// in between would leave a mail that nobody remembers having sent.
func (w *Worker) conclude(b *batch, m *mail, r sendgrid.Result, v sendcontrol.Verdict) {
	took := time.Since(m.attempted)
	if v.Outcome == sendgrid.NotSent && !v.Stopped { // refusals, limits and outages are not the email's time
		w.addFailing(m)
	}
	w.m.outcomes.WithLabelValues(r.Outcome.String()).Inc()
	switch v.Outcome {
	case sendgrid.Accepted:
		if w.settle(b.jobs, m, stats.Settlement{State: stats.Accepted, MessageID: r.MessageID}) {
			w.sent(b.jobs, m, r, took)
		}
	case sendgrid.Unknown:
		w.doubt(b.jobs, m, r, v.Final)
	case sendgrid.Rejected:
		w.bury(b.jobs, m, death{reason: job.ReasonRejected, detail: r.Reason(), errors: r.Errors, state: stats.Rejected})
	case sendgrid.NotSent:
		if !v.Stopped {
			w.retry(b.jobs, m, r)
			return
		}
		fallthrough
	default: // Limited and Refused: not the email's fault, as far as anybody knows
		w.putOff(b.jobs, m, r, v.Delay)
	}
}
