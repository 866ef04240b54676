package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/internal/web"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// A mail is all that is known of one: its record, and its job while that is in a queue.
type mail struct {
	ID     job.ID
	Record *stats.Record // nil: no worker has recorded it
	Event  *okq.Found    // nil: it is in no queue
	Dead   *job.DeadLetter
	Job    *job.Email // nil also when it cannot be read
}

func (m *mail) found() bool { return m.Record != nil || m.Event != nil }

// find asks the records, the queues, and the records again: a mail may go from its queue into the records in between.
func (c *Console) find(ctx context.Context, id job.ID) (*mail, error) {
	m := &mail{ID: id}
	if err := c.findRecord(ctx, m); err != nil {
		return nil, err
	}
	if err := c.findEvent(ctx, m); err != nil || m.found() {
		return m, err
	}
	return m, c.findRecord(ctx, m)
}

func (c *Console) findRecord(ctx context.Context, m *mail) error {
	if c.deps.Records == nil {
		return nil
	}
	records, err := c.deps.Records.Lookup(ctx, []job.ID{m.ID})
	m.Record = records[m.ID]
	return err
}

func (c *Console) findEvent(ctx context.Context, m *mail) error {
	for _, queue := range []string{job.QueueEmailHigh, job.QueueEmailNormal, job.QueueEmailDead} {
		find := c.deps.Queue.Find
		if queue == job.QueueEmailDead {
			find = func(ctx context.Context, queue, id string) (okq.Found, bool, error) {
				return deadletter.Find(ctx, c.deps.Queue, queue, id)
			}
		}
		found, ok, err := find(ctx, queue, string(m.ID))
		if errors.Is(err, okq.ErrNoFind) {
			return nil // the original okq: what waits in it cannot be seen
		}
		if err != nil {
			return err
		}
		if ok {
			m.take(found)
			return nil
		}
	}
	return nil
}

// take reads the job of an event, as far as it can be read.
func (m *mail) take(found okq.Found) {
	m.Event = &found
	id, contents := found.ID, found.Contents
	if found.Queue == job.QueueEmailDead {
		letter, err := job.DecodeDeadLetter(contents)
		if err != nil {
			return
		}
		m.Dead, id, contents = letter, letter.ID, letter.Contents()
	}
	if e, err := job.DecodeEmail(id, contents); err == nil {
		m.Job = e
	}
}

type mailView struct {
	page
	*mail
	Recipient string
	Badges    []badge
	Timeline  []moment
	Standing  string // where its job is
	ShowBody  bool
	Kinds     []string // the names of its flags
}

// pageMail is a mail's whole life.
func (c *Console) pageMail(w http.ResponseWriter, r *http.Request) {
	p := c.page(r, "mails", "Mail") // before the mail is read, for its revision
	m, ok := c.asked(w, r)
	if !ok {
		return
	}
	v := mailView{page: p, mail: m, Timeline: timeline(m), Standing: standingOf(m.Event)}
	switch {
	case m.Record != nil:
		v.Recipient, v.Badges, v.Kinds = m.Record.Recipient, badges(m.Record), kindNames(c.kinds, m.Record.EmailFlags)
	case m.Job != nil:
		v.Recipient, v.Badges, v.Kinds = m.Job.To, []badge{queuedBadge(m.Job)}, kindNames(c.kinds, m.Job.Flags)
	}
	if m.Job != nil && r.URL.Query().Get("body") != "" {
		v.ShowBody = true
		c.did(r, "look at body").Str("job_id", string(m.ID)).Msg("act")
	}
	v.Title = "Mail to " + v.Recipient
	c.render(w, http.StatusOK, "mail", v)
}

// asked finds the mail that the path names, or answers that there is none.
func (c *Console) asked(w http.ResponseWriter, r *http.Request) (*mail, bool) {
	id := job.ID(strings.ToLower(r.PathValue("id")))
	if !id.Valid() {
		c.notFound(w, r)
		return nil, false
	}
	m, err := c.find(r.Context(), id)
	if err != nil {
		c.fail(w, r, err)
		return nil, false
	}
	if !m.found() {
		c.render(w, http.StatusNotFound, "fault", faultView{c.page(r, "mails", "Not found"),
			"There is no mail " + string(id) + ": it is in no queue, and no worker has recorded it."})
		return nil, false
	}
	return m, true
}

func queuedBadge(e *job.Email) badge {
	if e.SendAt > time.Now().Unix() {
		return badge{"scheduled", "plain"}
	}
	return badge{"queued", "plain"}
}

// serveHTML is the frame with the mail's own HTML.
func (c *Console) serveHTML(w http.ResponseWriter, r *http.Request) {
	m, ok := c.asked(w, r)
	if !ok {
		return
	}
	if m.Job == nil {
		c.notFound(w, r)
		return
	}
	web.WriteMail(w, m.Job.HTML)
}
