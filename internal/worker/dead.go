package worker

import (
	"context"
	"errors"
	"strings"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// A death is why a job is given up.
type death struct {
	reason string
	detail string
	errors []job.ProviderError
	state  stats.State // Dead when empty
}

// bury makes a job a dead letter. The letter is queued first, then the ledger written, then the job acked: dying in
// between repeats some of it, and a letter that is there already is as good as a new one.
func (w *Worker) bury(ctx context.Context, m *mail, d death) {
	if d.state == "" {
		d.state = stats.Dead
	}
	if err := w.pushDead(ctx, m, d); err != nil {
		w.complain(ctx, err, "queue dead letter")
		return
	}
	if !w.settle(ctx, m, stats.Settlement{State: d.state, Reason: d.text()}) {
		w.unsettled(ctx, m)
		return
	}
	w.m.jobs.WithLabelValues("dead").Inc()
	w.m.dead.WithLabelValues(d.reason).Inc()
	if d.reason == job.ReasonUnknown {
		w.m.unknown.WithLabelValues("hold").Inc()
	}
	w.about(m, w.log.Error()).Str("reason", d.reason).Str("detail", d.detail).Int("attempt", m.attempts).Msg("dead")
	w.ack(ctx, m)
}

// text is what the ledger keeps of a death; deathOf reads it back.
func (d death) text() string {
	if d.detail == "" {
		return d.reason
	}
	return d.reason + ": " + d.detail
}

func deathOf(rec *stats.Record) death {
	reason, detail, _ := strings.Cut(rec.Reason, ": ")
	return death{reason: reason, detail: detail, state: rec.State}
}

func (w *Worker) pushDead(ctx context.Context, m *mail, d death) error {
	letter := job.DeadLetter{
		ID: m.ID, Queue: m.Queue, Reason: d.reason, Detail: d.detail, Errors: d.errors,
		Attempts: max(w.spent(m), 0), Deliveries: m.Deliveries,
	}
	if !m.attempted.IsZero() {
		letter.FirstAttempt = m.attempted.Unix()
	}
	letter.SetContents(m.Contents)
	contents, err := letter.Encode()
	if err != nil {
		return err
	}
	return w.pushUntilDone(ctx, okq.Event{Queue: job.DeadQueue(m.Queue), ID: m.ID, Contents: contents})
}

// pushUntilDone pushes until okq has the event. One that it has already is from a try whose answer was lost, or from a
// worker that died.
func (w *Worker) pushUntilDone(ctx context.Context, e okq.Event) error {
	for failures := 1; ; failures++ {
		err := w.deps.Queue.Push(ctx, e)
		switch {
		case err == nil, errors.Is(err, okq.ErrDuplicate):
			return nil
		case !errors.Is(err, okq.ErrUnavailable) && !errors.Is(err, okq.ErrBusy):
			return err
		}
		if !pause(ctx, failures) {
			return context.Cause(ctx)
		}
	}
}
