package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// The lines that mailbox providers draw, as shares of what was delivered. Google's and Yahoo's rules for senders: stay
// below 0.1 %, and never reach 0.3 %. A bounce rate of 5 % is where SendGrid begins to ask.
const (
	spamWarn, spamBad     = 0.001, 0.003
	bounceWarn, bounceBad = 0.02, 0.05
)

// A share is a part of a whole for the page to show, and the class that says whether it is well.
type share struct {
	Text  string
	Class string
}

func newShare(n, of int, warn, bad float64) share {
	if of == 0 {
		return share{Text: "–"}
	}
	part := float64(n) / float64(of)
	s := share{Text: percent(part)}
	switch {
	case part >= bad:
		s.Class = "bad"
	case part >= warn:
		s.Class = "warn"
	}
	return s
}

// percent has two digits where they matter.
func percent(part float64) string {
	if part > 0 && part < 0.1 {
		return strconv.FormatFloat(part*100, 'f', 2, 64) + " %"
	}
	return strconv.FormatFloat(part*100, 'f', 1, 64) + " %"
}

// An outcomeView is a row of the page.
type outcomeView struct {
	Name                     string
	Sent                     int
	Delivered, Bounced, Spam share
}

func newOutcomeView(name string, o outcome) outcomeView {
	v := outcomeView{
		Name: name, Sent: o.Sent, Bounced: newShare(o.Bounced, o.Sent, bounceWarn, bounceBad), Spam: newShare(o.Spam, o.Delivered, spamWarn, spamBad),
		Delivered: share{Text: "–"},
	}
	if o.Sent > 0 {
		v.Delivered.Text = percent(float64(o.Delivered) / float64(o.Sent))
	}
	return v
}

// outcomes is a table of them.
type outcomes struct {
	Of   string
	Rows []outcomeView
}

func newOutcomes(of string, rows []outcomeView) outcomes { return outcomes{of, rows} }

type healthView struct {
	page
	HasStore bool
	Fault    bool
	At       time.Time
	Counted  int // days
	Total    outcomeView
	Days     []outcomeView
	Kinds    []outcomeView
	Spam     ratesPlot
}

// pageHealth is how mails fared, by day and by kind.
func (c *Console) pageHealth(w http.ResponseWriter, r *http.Request) {
	v := healthView{page: c.page(r, "health", "Health"), HasStore: c.health != nil}
	if c.health != nil {
		days, at, fault := c.health.look()
		v.At, v.Fault, v.Counted = at, fault != nil, len(days)
		v.fill(days, c.kinds)
	}
	c.render(w, http.StatusOK, "health", v)
}

func (v *healthView) fill(days []*day, kinds []kind) {
	var total outcome
	byFlag := map[int64]*outcome{}
	for _, d := range days {
		total.sum(d.all)
		for flag, o := range d.byFlag {
			if byFlag[flag] == nil {
				byFlag[flag] = &outcome{}
			}
			byFlag[flag].sum(*o)
		}
		if d.all.Sent > 0 {
			v.Days = append(v.Days, newOutcomeView(d.date.Format("Mon 2 Jan 2006"), d.all))
		}
	}
	v.Total = newOutcomeView("all", total)
	for _, flag := range slices.SortedFunc(maps.Keys(byFlag), func(a, b int64) int { return cmp.Compare(byFlag[b].Sent, byFlag[a].Sent) }) {
		v.Kinds = append(v.Kinds, newOutcomeView(kindName(kinds, flag), *byFlag[flag]))
	}
	v.Spam = plotSpam(days)
}

func kindName(kinds []kind, flag int64) string {
	if flag == 0 {
		return "without a flag: nobody can opt out of them"
	}
	if i := slices.IndexFunc(kinds, func(k kind) bool { return k.Bit == flag }); i >= 0 {
		return kinds[i].Name
	}
	return fmt.Sprintf("mail with flag %d", flag)
}
