package console

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// rowsShown is how many mails a page lists.
const rowsShown = 50

type mailsView struct {
	page
	Query     string
	Recipient string // that was asked for, if one was
	Unknown   bool   // only those whose outcome is unknown
	HasStore  bool
	What      string // is listed
	Rows      []mailRow
	More      string // address of the next page; empty: there is none
}

// A mailRow is a mail in a list.
type mailRow struct {
	*stats.Record
	Badges []badge
}

func mailRows(records []*stats.Record) []mailRow {
	rows := make([]mailRow, len(records))
	for i, r := range records {
		rows[i] = mailRow{r, badges(r)}
	}
	return rows
}

// pageMails finds mails: by id, by recipient (what has an @), or else by unique ID; the latest when nothing is asked for.
func (c *Console) pageMails(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	v := mailsView{page: c.page(r, "mails", "Mails"), Query: strings.TrimSpace(form.Get("q")), Unknown: form.Get("unknown") != ""}
	if id := job.ID(strings.ToLower(v.Query)); id.Valid() {
		if m, err := c.find(r.Context(), id); err != nil {
			c.fail(w, r, err)
			return
		} else if m.found() {
			http.Redirect(w, r, "/mails/"+string(id), http.StatusSeeOther)
			return
		}
	}
	if v.HasStore = c.deps.Records != nil; !v.HasStore {
		c.render(w, http.StatusOK, "mails", v)
		return
	}
	q := stats.Query{Unknown: v.Unknown, Limit: rowsShown + 1}
	switch {
	case v.Unknown:
		v.What = "With unknown outcome, newest first"
	case strings.Contains(v.Query, "@"):
		q.Recipient, v.Recipient, v.What = v.Query, v.Query, "To this recipient, newest first"
	case v.Query != "":
		q.UniqueID, v.What = v.Query, "With this unique ID"
	default:
		v.What = "The latest that a worker has had in hand"
	}
	records, err := c.list(r, &q)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	if len(records) > rowsShown {
		records = records[:rowsShown]
		if q.UniqueID == "" {
			form.Set("before", string(records[rowsShown-1].ID))
			v.More = (&url.URL{Path: "/mails", RawQuery: form.Encode()}).String()
		}
	}
	v.Rows = mailRows(records)
	c.render(w, http.StatusOK, "mails", v)
}

// list asks for the records of q, beginning after the one that the request's before names.
func (c *Console) list(r *http.Request, q *stats.Query) ([]*stats.Record, error) {
	if id := job.ID(r.URL.Query().Get("before")); id.Valid() {
		before, err := c.deps.Records.Lookup(r.Context(), []job.ID{id})
		if err != nil {
			return nil, err
		}
		q.Before = before[id]
	}
	return c.deps.Records.Find(r.Context(), *q)
}

type badge struct{ Name, Class string }

// badges tell in a word or two what became of a mail.
func badges(r *stats.Record) []badge {
	var all []badge
	for _, b := range []struct {
		flag        int64
		name, class string
	}{
		{stats.FlagDelivered, "delivered", "good"}, {stats.FlagOpened, "opened", "good"}, {stats.FlagDropped, "dropped", "bad"},
		{stats.FlagBounced, "bounced", "bad"}, {stats.FlagSpamReported, "spam report", "bad"},
	} {
		if r.StateFlags&b.flag != 0 {
			all = append(all, badge{b.name, b.class})
		}
	}
	if len(all) == 0 {
		all = append(all, stateBadge(r.Outcome()))
	}
	return all
}

func stateBadge(s stats.State) badge {
	b, ok := map[stats.State]badge{
		stats.Accepted: {"accepted", "plain"}, stats.Attempting: {"being sent", "plain"}, stats.Retrying: {"retrying", "warn"},
		stats.Unknown: {"unknown outcome", "warn"}, stats.Rejected: {"rejected", "bad"}, stats.Dead: {"dead", "bad"},
		stats.OptedOut: {"opted out, not sent", "plain"}, stats.Expired: {"expired, not sent", "plain"},
	}[s]
	if !ok {
		return badge{cmp.Or(string(s), "not known"), "plain"}
	}
	return b
}
