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
	known, err := w.known(ctx, events)
	if err != nil {
		return nil, err
	}
	var list []prefs.Incident
	for _, e := range events {
		flags := e.Flags // of an EventOneClick, whose link is sealed
		if concerns(e) {
			var ignored string
			if flags, ignored = known.concern(e); ignored != "" {
				w.m.ignored.WithLabelValues(ignored).Inc()
				w.log.Debug().Str("job_id", string(e.StatsID)).Str("sg_event", e.Type).Str("reason", ignored).Msg("preferences unchanged")
				continue
			}
		}
		i := prefs.Incident{Address: e.Email, At: e.At}
		switch e.Type {
		case job.EventBounce:
			if e.Kind == "blocked" {
				continue
			}
			i.Kind = prefs.Bounce
		case job.EventSpamReport:
			i.Kind = prefs.SpamReport
		case job.EventUnsubscribe, job.EventGroupUnsubscribe, job.EventOneClick:
			i.Kind, i.Flags = prefs.OptOut, flags
		case job.EventGroupResubscribe:
			i.Kind, i.Flags = prefs.OptIn, flags
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
