package worker

import (
	"context"
	"errors"
	"fmt"
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
	past   bool        // the ledger says that the email has died before
}

// bury makes a job a dead letter. The ledger is written first, then the letter takes the job's place: dying in between,
// the next delivery finds the death in the ledger and goes on from there. As long as there is no letter nobody can requeue
// it, so nothing that a requeue writes is overwritten here.
func (w *Worker) bury(ctx context.Context, m *mail, d death) {
	if d.state == "" {
		d.state = stats.Dead
	}
	if !w.settle(ctx, m, stats.Settlement{State: d.state, Reason: d.text()}) {
		w.unsettled(ctx, m)
		return
	}
	letter := job.DeadLetter{
		ID: m.ID, Queue: m.Queue, Reason: d.reason, Detail: d.detail, Errors: d.errors,
		Attempts: max(w.tries(m), 0), Deliveries: m.Deliveries, FirstAttempt: w.firstAttempt(ctx, m),
	}
	if err := w.deadLetter(ctx, m.Delivery, &letter, d.past); err != nil {
		w.complain(ctx, err, "queue dead letter")
		return
	}
	w.m.jobs.WithLabelValues("dead").Inc()
	w.m.dead.WithLabelValues(d.reason).Inc()
	if d.reason == job.ReasonUnknown {
		w.m.unknown.WithLabelValues("hold").Inc()
	}
	w.about(m, w.log.Error()).Str("reason", d.reason).Str("detail", d.detail).Int("attempt", m.attempts).Msg("dead")
}

// buryEvents keeps what is no batch of events for a person to look at.
func (w *Worker) buryEvents(ctx context.Context, d *okq.Delivery, cause error) {
	letter := job.DeadLetter{ID: d.ID, Queue: d.Queue, Reason: job.ReasonUndecodable, Detail: cause.Error(), Deliveries: d.Deliveries}
	if err := w.deadLetter(ctx, d, &letter, false); err != nil {
		w.complain(ctx, err, "queue dead letter")
		return
	}
	w.m.dead.WithLabelValues(job.ReasonUndecodable).Inc()
	w.log.Error().Err(cause).Str("event_id", d.ID).Str("queue", d.Queue).Msg("dead")
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
	return death{reason: reason, detail: detail, state: rec.State, past: true}
}

// firstAttempt is when the email was first attempted, in unix seconds: the ledger begins its record then. 0 is unknown.
func (w *Worker) firstAttempt(ctx context.Context, m *mail) int64 {
	if w.deps.Stats == nil {
		if m.attempted.IsZero() || m.Deliveries > 1 {
			return 0 // an earlier delivery may have attempted it
		}
		return m.attempted.Unix()
	}
	records, err := w.deps.Stats.Lookup(ctx, []job.ID{m.id()})
	if err != nil {
		w.complain(ctx, err, "look up first attempt")
		return 0
	}
	rec := records[m.id()]
	if rec == nil || rec.Attempts == 0 {
		return 0
	}
	return rec.Created.Unix()
}

// deadLetter puts a letter in the place of its job, in one step, under an id that no letter of the job has yet.
func (w *Worker) deadLetter(ctx context.Context, d *okq.Delivery, letter *job.DeadLetter, past bool) error {
	letter.SetContents(d.Contents)
	letter.Deaths = job.Deaths(d.ID, d.Contents) + 1
	for {
		e, err := letterEvent(d, letter)
		if err != nil {
			return err
		}
		err = d.Move(ctx, e)
		switch {
		case errors.Is(err, okq.ErrNoMove):
			return w.deadLetterInSteps(ctx, d, e)
		case !errors.Is(err, okq.ErrDuplicate):
			return err
		}
		letter.Deaths++
		if !past {
			continue // a letter of an older postmaster, which did not count deaths
		}
		if renewed, err := w.renewLetter(ctx, d, letter, e); renewed || err != nil {
			return err
		}
	}
}

// renewLetter is for a second push of an email that is a dead letter already: the letter stays, and the job goes. The
// letter gets another id before, because an older postmaster may be about to remove it after a requeue. It returns false
// if the letter is gone, or its next id is taken.
func (w *Worker) renewLetter(ctx context.Context, d *okq.Delivery, letter *job.DeadLetter, old okq.Event) (bool, error) {
	next, err := letterEvent(d, letter)
	if err != nil {
		return false, err
	}
	next.Contents = nil
	renewed, err := w.deps.Queue.Move(ctx, old, next, 0)
	if err != nil && !errors.Is(err, okq.ErrDuplicate) || !renewed {
		return false, ignoreDuplicate(err)
	}
	return true, d.Ack(ctx)
}

func ignoreDuplicate(err error) error {
	if errors.Is(err, okq.ErrDuplicate) {
		return nil
	}
	return err
}

func letterEvent(d *okq.Delivery, letter *job.DeadLetter) (okq.Event, error) {
	contents, err := letter.Encode()
	if err != nil {
		return okq.Event{}, err
	}
	return okq.Event{Queue: job.DeadQueue(d.Queue), ID: job.LetterID(d.ID, d.Contents, letter.Deaths), Contents: contents}, nil
}

// deadLetterInSteps is for a server that moves nothing: the letter is pushed, then the job acked. Dying in between leaves
// both. A letter that is there already is from a try whose answer was lost, or from a worker that died.
func (w *Worker) deadLetterInSteps(ctx context.Context, d *okq.Delivery, letter okq.Event) error {
	if err := w.pushUntilDone(ctx, letter); err != nil {
		return err
	}
	if err := d.Ack(ctx); err != nil {
		return fmt.Errorf("ack after dead letter: %w", err)
	}
	return nil
}

// pushUntilDone pushes until okq has the event.
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
