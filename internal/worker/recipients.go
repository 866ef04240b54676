package worker

import (
	"context"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// Why an event that would change a recipient's preferences does not: label values.
const (
	ignoredUnknown   = "unknown_email" // there is neither a record nor a signed pmFold of its email
	ignoredRecipient = "not_recipient" // its email did not go to that address
)

// known is what can be told of the emails of some events.
type known map[job.ID]*stats.Record

// concern returns the flags of an event's email if the event's address is one of its recipients, or else why it is
// ignored: an event from anybody else must not change preferences.
//
// A record of an older version does not say who its cc and bcc were. In doubt the opt-out wins, if SendGrid signed it.
func (k known) concern(e job.Event) (flags int64, ignored string) {
	rec := k[e.StatsID]
	fold, sent := job.ParseFold(e.StatsID, e.Fold)
	sent = sent && e.Signed
	switch {
	case sent && fold.Has(e.Email):
		return fold.Flags, ""
	case rec == nil && sent:
		return 0, ignoredRecipient
	case rec == nil:
		return 0, ignoredUnknown
	case job.Key(rec.Recipient) == job.Key(e.Email):
		return rec.EmailFlags, ""
	}
	kept, complete := job.ParseFold(e.StatsID, rec.Fold)
	if complete && kept.Has(e.Email) || !complete && !sent && e.Signed && e.Type != job.EventGroupResubscribe {
		return rec.EmailFlags, ""
	}
	return 0, ignoredRecipient
}

// concerns tells whether an event changes preferences only if it concerns a recipient of its email.
func concerns(e job.Event) bool {
	switch e.Type {
	case job.EventUnsubscribe, job.EventGroupUnsubscribe, job.EventGroupResubscribe, job.EventSpamReport:
		return true
	}
	return false
}

// known looks up the emails of the events that need it.
func (w *Worker) known(ctx context.Context, events []job.Event) (known, error) {
	var ids []job.ID
	for _, e := range events {
		if concerns(e) {
			ids = append(ids, e.StatsID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var records map[job.ID]*stats.Record
	err := w.stored(ctx, "lookup", func(ctx context.Context) (err error) {
		records, err = w.deps.Stats.Lookup(ctx, ids)
		return err
	})
	return records, err
}
