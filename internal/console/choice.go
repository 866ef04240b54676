package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/pkg/job"
)

// A choice says which dead letters of a queue are meant.
type choice struct {
	Queue     string
	Reason    string
	Recipient string
	Age       string // the key of one of ages; empty: any
	IDs       []string
	All       bool  // said so: all that the filters leave, which may be every letter
	Until     int64 // unix seconds; what died later was not counted before it was agreed to. 0: no matter
}

// An age is one that can be asked for.
type age struct {
	Key, Name    string
	older, newer time.Duration
}

var ages = []age{
	{Key: "newer-1h", Name: "died in the last hour", newer: time.Hour},
	{Key: "newer-24h", Name: "died in the last day", newer: 24 * time.Hour},
	{Key: "older-1h", Name: "died over an hour ago", older: time.Hour},
	{Key: "older-24h", Name: "died over a day ago", older: 24 * time.Hour},
	{Key: "older-168h", Name: "died over a week ago", older: 7 * 24 * time.Hour},
}

func choiceOf(form url.Values) (choice, error) {
	c := choice{
		Queue: form.Get("queue"), Reason: form.Get("reason"), Recipient: strings.TrimSpace(form.Get("recipient")),
		Age: form.Get("age"), IDs: form["id"], All: form.Get("all") != "",
	}
	if c.Queue == "" {
		c.Queue = job.QueueEmailDead
	}
	if c.Queue != job.QueueEmailDead && c.Queue != job.QueueStatsDead {
		return c, fmt.Errorf("queue must be %s or %s", job.QueueEmailDead, job.QueueStatsDead)
	}
	if c.Age != "" && c.age() == (age{}) {
		return c, fmt.Errorf("age is none that can be asked for")
	}
	if until := form.Get("until"); until != "" {
		var err error
		if c.Until, err = strconv.ParseInt(until, 10, 64); err != nil {
			return c, fmt.Errorf("until: %w", err)
		}
	}
	return c, nil
}

// form is what choiceOf reads.
func (c choice) form() url.Values {
	form := url.Values{"queue": {c.Queue}}
	for name, value := range map[string]string{"reason": c.Reason, "recipient": c.Recipient, "age": c.Age} {
		if value != "" {
			form.Set(name, value)
		}
	}
	if len(c.IDs) > 0 {
		form["id"] = c.IDs
	}
	if c.All {
		form.Set("all", "1")
	}
	return form
}

func (c choice) age() age {
	for _, a := range ages {
		if a.Key == c.Age {
			return a
		}
	}
	return age{}
}

// chosen tells whether anything was: no box ticked is nothing, not everything.
func (c choice) chosen() bool { return c.All || len(c.IDs) > 0 }

// matches tells whether a letter is meant.
func (c choice) matches(l *deadletter.Letter) bool {
	f := deadletter.Filter{Reason: c.Reason, Recipient: c.Recipient, Older: c.age().older, Newer: c.age().newer}
	if !c.All {
		f.IDs = c.IDs
	}
	return f.Matches(l) && (c.Until == 0 || l.Died <= c.Until)
}
