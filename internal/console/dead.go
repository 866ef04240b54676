package console

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/pkg/job"
)

const (
	// lettersShown is how many letters a page lists.
	lettersShown = 100
	// lettersRead is how many letters are read for a page. An act reads all.
	lettersRead = 10_000
)

// A group is the letters that died of the same.
type group struct {
	Reason string
	Count  int
	Link   string
	On     bool // it is the filter
}

// A letterRow is a letter in the list.
type letterRow struct {
	ID, Mail, Recipient string // Mail: its page, if it has one
	Died                time.Time
	Reason, Detail      string
	Attempts            int
}

type deadView struct {
	page
	choice
	Ages   []age
	Groups []group
	Rows   []letterRow
	Count  int  // that match
	More   bool // than were read
	Did    string
	tally
	Act act // on the page that asks
}

// An act is what can be done about dead letters.
type act struct{ Name, Verb, Done, Means string }

var deadActs = map[string]act{
	"requeue": {"requeue", "Requeue", "requeued", "Their jobs go back into the queues that they came from, as if they were new; attempts made so far are forgiven."},
	"drop":    {"drop", "Drop", "dropped", "The jobs are lost for good. What the store knows of the mails stays."},
}

// pageDead lists dead letters.
func (c *Console) pageDead(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	v := deadView{page: c.page(r, "dead", "Dead letters"), Ages: ages, Did: deadActs[form.Get("did")].Done, tally: tallyOf(form)}
	if c.readChoice(w, r, form, &v) {
		c.render(w, http.StatusOK, "dead", v)
	}
}

// pageAsk counts the letters that an act is about to be done to.
func (c *Console) pageAsk(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	v := deadView{page: c.page(r, "dead", "Dead letters"), Act: deadActs[form.Get("act")]}
	ch, err := choiceOf(form)
	switch {
	case v.Act.Name == "":
		c.notFound(w, r)
		return
	case err == nil && !ch.chosen():
		http.Redirect(w, r, "/dead?"+ch.form().Encode(), http.StatusSeeOther)
		return
	}
	if c.readChoice(w, r, form, &v) {
		v.Until = time.Now().Unix()
		c.render(w, http.StatusOK, "ask", v)
	}
}

// readChoice reads the form, and the letters that it means; false after it answered that it could not.
func (c *Console) readChoice(w http.ResponseWriter, r *http.Request, form url.Values, v *deadView) bool {
	var err error
	if v.choice, err = choiceOf(form); err != nil {
		c.render(w, http.StatusBadRequest, "fault", faultView{v.page, "Nothing can be looked up so: " + err.Error() + "."})
		return false
	}
	if err := c.readLetters(r.Context(), v); err != nil {
		c.fail(w, r, err)
		return false
	}
	return true
}

// readLetters groups and lists what the choice means. The groups are of all reasons.
func (c *Console) readLetters(ctx context.Context, v *deadView) error {
	anyReason := v.choice
	anyReason.Reason = ""
	counts := map[string]int{}
	read := 0
	for l, err := range c.deps.Letters.All(ctx, v.Queue) {
		if err != nil {
			return err
		}
		if read++; read > lettersRead && v.Act.Name == "" {
			v.More = true
			break
		}
		if !anyReason.matches(&l) {
			continue
		}
		counts[l.Reason]++
		if !v.choice.matches(&l) {
			continue
		}
		v.Count++
		if len(v.Rows) < lettersShown {
			v.Rows = append(v.Rows, newLetterRow(&l))
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		with := choice{Queue: v.Queue, Recipient: v.Recipient, Age: v.Age, Reason: reason}
		v.Groups = append(v.Groups, group{reason, counts[reason], "/dead?" + with.form().Encode(), reason == v.Reason})
	}
	return nil
}

func newLetterRow(l *deadletter.Letter) letterRow {
	row := letterRow{
		ID: l.Event, Recipient: l.Recipient(), Died: time.Unix(l.Died, 0), Reason: l.Reason, Detail: deathOf(&l.DeadLetter), Attempts: l.Attempts,
	}
	if l.Dead == job.QueueEmailDead && job.ID(l.ID).Valid() {
		row.Mail = "/mails/" + l.ID
	}
	return row
}

// formDead does what was agreed to.
func (c *Console) formDead(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	what := deadActs[r.PostForm.Get("act")]
	ch, err := choiceOf(r.PostForm)
	if err != nil || what.Name == "" || !ch.chosen() || ch.Until == 0 {
		c.render(w, http.StatusBadRequest, "fault", faultView{c.page(r, "dead", "That did not work"), "The form does not say what to do to which letters."})
		return
	}
	do := c.deps.Letters.Requeue
	if what.Name == "drop" {
		do = c.deps.Letters.Drop
	}
	t, err := c.each(r.Context(), ch, do, func(l *deadletter.Letter, err error) {
		c.did(r, what.Name).Err(err).Str("queue", l.Dead).Str("event_id", l.Event).Str("reason", l.Reason).Msg("act")
	})
	if err != nil {
		c.log.Error().Err(err).Str("act", what.Name).Int("events", t.Done).Msg("act stopped")
		t.Failed = max(t.Failed, 1)
	}
	ch.IDs, ch.All = nil, false
	form := ch.form()
	form.Set("did", what.Name)
	t.form(form)
	http.Redirect(w, r, "/dead?"+form.Encode(), http.StatusSeeOther)
}

// Whose is the name of the letters, for people.
func (v deadView) Whose() string {
	return cmp.Or(map[string]string{job.QueueStatsDead: "batches of events"}[v.Queue], "mails")
}
