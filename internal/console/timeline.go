package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// A moment is one thing that happened to a mail.
type moment struct {
	At     time.Time
	Name   string
	Class  string
	Detail string
}

// timeline is what happened to a mail, in the order in which it did.
func timeline(m *mail) []moment {
	var all []moment
	if made := m.ID.Time(); plausible(made) {
		all = append(all, moment{At: made, Name: "enqueued", Class: "plain"})
	} else if m.Record != nil {
		all = append(all, moment{At: m.Record.Created, Name: "first seen by a worker", Class: "plain"})
	}
	if m.Record != nil {
		all = append(all, recorded(m.Record)...)
	}
	if m.Dead != nil && m.Dead.Died > 0 {
		all = append(all, moment{time.Unix(m.Dead.Died, 0), "dead letter", "bad", deathOf(m.Dead)})
	}
	if m.Job != nil && m.Job.SendAt > time.Now().Unix() {
		all = append(all, moment{time.Unix(m.Job.SendAt, 0), "to be sent", "plain", "sendAt"})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.At.Truncate(time.Second).Compare(b.At.Truncate(time.Second)) })
	return all
}

// plausible tells the time of an id that pm-api made from the random one of an id derived from a job of 0.4.0.
func plausible(t time.Time) bool {
	return t.Year() >= 2015 && t.Before(time.Now().Add(24*time.Hour))
}

// recorded is what a record tells: the latest attempt, and when each kind of event first happened.
func recorded(r *stats.Record) []moment {
	var all []moment
	state := stateBadge(r.State)
	switch {
	case !r.Attempted.IsZero() && r.Attempted.Unix() > 0:
		name := fmt.Sprintf("attempt %d: %s", r.Attempts, state.Name)
		all = append(all, moment{r.Attempted, name, state.Class, attemptDetail(r)})
	case r.State != stats.Accepted || len(r.Evidence) == 0:
		all = append(all, moment{r.Updated, state.Name, state.Class, r.Reason})
	}
	for kind, at := range r.Evidence {
		e := moment{At: at, Name: eventName(kind), Class: eventClass(kind)}
		if kind == job.EventBounce || kind == job.EventDropped {
			e.Detail = r.Error // of the latest of them
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b moment) int {
		if d := a.At.Compare(b.At); d != 0 {
			return d
		}
		return eventOrder(a.Name) - eventOrder(b.Name) // of the same second: what usually comes first
	})
	return all
}

func attemptDetail(r *stats.Record) string {
	var parts []string
	if r.MessageID != "" {
		parts = append(parts, "SendGrid calls it "+r.MessageID)
	}
	if r.Reason != "" {
		parts = append(parts, r.Reason)
	}
	if r.Free > 0 {
		parts = append(parts, fmt.Sprintf("%d of the attempts do not count: SendGrid refused the account", r.Free))
	}
	return strings.Join(parts, "; ")
}

func deathOf(d *job.DeadLetter) string {
	text := d.Reason
	if d.Detail != "" {
		text += ": " + d.Detail
	}
	for _, e := range d.Errors {
		text += "; " + strings.TrimSpace(e.Field+" "+e.Message)
	}
	return text
}

// eventName is SendGrid's name of an event, for people.
func eventName(kind string) string {
	if kind, copied := strings.CutPrefix(kind, stats.CopyPrefix); copied {
		return "cc or bcc: " + eventName(kind)
	}
	switch kind {
	case job.EventSpamReport:
		return "spam report"
	case job.EventOpen:
		return "opened"
	case "machine_open":
		return "opened by a machine"
	case job.EventClick:
		return "clicked"
	case job.EventBounce:
		return "bounced"
	}
	return strings.ReplaceAll(kind, "_", " ")
}

func eventClass(kind string) string {
	switch strings.TrimPrefix(kind, stats.CopyPrefix) {
	case job.EventDelivered, job.EventOpen, job.EventClick, job.EventGroupResubscribe:
		return "good"
	case job.EventDeferred, job.EventUnsubscribe, job.EventGroupUnsubscribe:
		return "warn"
	case job.EventBounce, job.EventDropped, job.EventSpamReport:
		return "bad"
	}
	return "plain"
}

func eventOrder(name string) int {
	return slices.Index([]string{"processed", "dropped", "deferred", "delivered", "bounced", "opened by a machine", "opened", "clicked"}, name)
}

// standingOf tells where a mail's job is.
func standingOf(f *okq.Found) string {
	switch {
	case f == nil:
		return ""
	case f.State == okq.StateDelayed:
		return fmt.Sprintf("waits in %s for another %s", f.Queue, ago(f.Due))
	case f.State == okq.StateLeased:
		return fmt.Sprintf("taken from %s by a worker, for another %s at most", f.Queue, ago(f.Due))
	}
	return "ready in " + f.Queue
}
