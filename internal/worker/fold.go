package worker

import (
	"context"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

const (
	foldBatch = 32   // batches of events folded together
	foldMost  = 5000 // events of one call to the stores
)

// handleEvents folds the events of several webhook POSTs into the stores, and acks only what was folded whole. Folding
// twice is folding once, so a kill anywhere costs nothing.
func (w *Worker) handleEvents(ctx context.Context, batch []*okq.Delivery) {
	var events []job.Event
	var decoded []*okq.Delivery
	for _, d := range batch {
		some, err := w.decodeEvents(d.ID, d.Contents)
		if err != nil {
			w.buryEvents(ctx, d, err)
			continue
		}
		events, decoded = append(events, some...), append(decoded, d)
	}
	for some := range slices.Chunk(events, foldMost) {
		if err := w.fold(ctx, some); err != nil {
			w.unfolded(ctx, decoded, err)
			return
		}
	}
	w.observeLag(events)
	for _, d := range decoded {
		if err := d.Ack(ctx); err != nil {
			w.log.Warn().Err(err).Str("event_id", d.ID).Msg("cannot ack, the events will come again")
		}
	}
	w.log.Debug().Int("events", len(events)).Int("batches", len(decoded)).Msg("folded")
}

// unfolded repeats each delivery alone after an error about one of their documents, so that the others do not wait. Of one
// that fails alone each event is folded by itself, and it is released with a growing delay: folding is idempotent.
func (w *Worker) unfolded(ctx context.Context, batch []*okq.Delivery, err error) {
	if len(batch) > 1 && ctx.Err() == nil {
		for _, d := range batch {
			w.handleEvents(ctx, []*okq.Delivery{d})
		}
		return
	}
	if ctx.Err() == nil {
		w.foldApart(ctx, batch[0])
	}
	w.complain(ctx, err, "fold events")
	w.postpone(ctx, batch)
}

// foldApart folds those events of a delivery that the store takes. Why it does not take the others is known already.
func (w *Worker) foldApart(ctx context.Context, d *okq.Delivery) {
	events, err := w.decodeEvents(d.ID, d.Contents)
	if err != nil || len(events) < 2 {
		return
	}
	for i := range events {
		if w.fold(ctx, events[i:i+1]) != nil && ctx.Err() != nil {
			return
		}
	}
}

// clockSkew is how far ahead of ours SendGrid's clock may be.
const clockSkew = time.Hour

// decodeEvents reads one POST's events. One whose time cannot be is of now: pm-hooks gives it the time of its arrival, but
// versions before it did not. An element that is none is counted and left out; it never costs the others.
func (w *Worker) decodeEvents(eventID string, contents []byte) ([]job.Event, error) {
	raws, err := job.SplitEvents(contents)
	if err != nil {
		return nil, err
	}
	signed, now := job.SignedEvents(eventID), time.Now()
	events := make([]job.Event, 0, len(raws))
	for _, raw := range raws {
		e, err := job.DecodeEvent(raw)
		switch {
		case err != nil:
			w.m.events.WithLabelValues("other", "bad").Inc()
		case !e.Ours() && e.Type != job.EventOneClick:
			w.m.events.WithLabelValues(typeLabel(e.Type), "foreign").Inc()
		default:
			if e.Signed = signed; e.At.IsZero() || e.At.After(now.Add(clockSkew)) {
				e.At = now
			}
			events = append(events, e)
		}
	}
	return events, nil
}

// fold writes events: into the mails' records, and what is about a recipient rather than a mail into the preferences.
func (w *Worker) fold(ctx context.Context, events []job.Event) error {
	unknown := 0
	err := w.stored(ctx, "fold", func(ctx context.Context) error {
		result, err := w.deps.Stats.Fold(ctx, events)
		unknown = result.Unknown
		return err
	})
	if err != nil {
		return err
	}
	incidents, err := w.incidents(ctx, events)
	if err != nil {
		return err
	}
	if len(incidents) > 0 {
		lost := 0
		err = w.stored(ctx, "record", func(ctx context.Context) (err error) {
			lost, err = w.deps.Prefs.Record(ctx, incidents)
			return err
		})
		if err != nil {
			return err
		}
		w.m.optOutsLost.Add(float64(lost))
	}
	for _, e := range events {
		w.m.events.WithLabelValues(typeLabel(e.Type), "folded").Inc()
		w.deps.Tracer.Event(e.Trace, string(e.StatsID), typeLabel(e.Type), e.At)
	}
	w.m.events.WithLabelValues("any", "unknown").Add(float64(unknown))
	return nil
}

// postpone gives back what could not be folded. It is not the store's being away, which is waited for.
func (w *Worker) postpone(ctx context.Context, batch []*okq.Delivery) {
	if ctx.Err() != nil {
		return // stopped: the consumer gives them back
	}
	for _, d := range batch {
		if err := d.Redo(ctx, backoff(max(d.Deliveries, 1))); err != nil {
			w.log.Warn().Err(err).Str("event_id", d.ID).Msg("cannot give back, the lease will")
		}
	}
}

func (w *Worker) observeLag(events []job.Event) {
	var latest time.Time
	for _, e := range events {
		if e.At.After(latest) {
			latest = e.At
		}
	}
	if !latest.IsZero() {
		w.m.foldLag.Set(time.Since(latest).Seconds())
	}
}

// typeLabel bounds the label's values: SendGrid may invent events, and others with its password too.
func typeLabel(eventType string) string {
	switch eventType {
	case job.EventProcessed, job.EventDeferred, job.EventDelivered, job.EventBounce, job.EventDropped, job.EventOpen,
		job.EventClick, job.EventSpamReport, job.EventUnsubscribe, job.EventGroupUnsubscribe,
		job.EventGroupResubscribe, job.EventOneClick:
		return eventType
	}
	return "other"
}
