package worker

import (
	"context"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/prefs"
)

// incidents are what the events say of their recipients.
//
// A bounce counts against an address unless SendGrid calls it "blocked": then the recipient's server refused the
// sender or the content for now, which says nothing of the address.
func (w *Worker) incidents(ctx context.Context, events []job.Event) ([]prefs.Incident, error) {
	kinds, err := w.kindsOf(ctx, events)
	if err != nil {
		return nil, err
	}
	var list []prefs.Incident
	for _, e := range events {
		i := prefs.Incident{Address: e.Email, At: e.At}
		switch e.Type {
		case job.EventBounce:
			if e.Kind == "blocked" {
				continue
			}
			i.Kind = prefs.Bounce
		case job.EventSpamReport:
			i.Kind = prefs.SpamReport
		case job.EventUnsubscribe, job.EventGroupUnsubscribe:
			i.Kind, i.Flags = prefs.OptOut, kinds[e.StatsID]
		case job.EventGroupResubscribe:
			i.Kind, i.Flags = prefs.OptIn, kinds[e.StatsID]
		case job.EventOneClick:
			i.Kind, i.Flags = prefs.OptOut, e.Flags
		default:
			continue
		}
		aboutFlags := i.Kind == prefs.OptOut || i.Kind == prefs.OptIn
		if i.Address == "" || aboutFlags && i.Flags == 0 {
			continue // nobody, or a mail of no kind: there is nothing to opt out of
		}
		list = append(list, i)
	}
	return list, nil
}

// kindsOf looks up the kinds of the mails that someone unsubscribed from, or subscribed to again.
func (w *Worker) kindsOf(ctx context.Context, events []job.Event) (map[job.ID]int64, error) {
	var ids []job.ID
	for _, e := range events {
		switch e.Type {
		case job.EventUnsubscribe, job.EventGroupUnsubscribe, job.EventGroupResubscribe:
			ids = append(ids, e.StatsID)
		}
	}
	kinds := make(map[job.ID]int64, len(ids))
	if len(ids) == 0 {
		return kinds, nil
	}
	err := w.stored(ctx, "lookup", func(ctx context.Context) error {
		records, err := w.deps.Stats.Lookup(ctx, ids)
		for id, r := range records {
			kinds[id] = r.EmailFlags
		}
		return err
	})
	return kinds, err
}
