package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

type recipientView struct {
	page
	Address  string
	HasStore bool
	Saved    bool
	About    prefs.About
	Toggles  []toggle
	Rows     []mailRow
	More     bool
}

// pageRecipient is what is known of an address. The address is in the query, not in the path, which may be logged.
func (c *Console) pageRecipient(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	v := recipientView{
		page: c.page(r, "recipient", "Recipient"), HasStore: c.deps.Prefs != nil && c.deps.Records != nil,
		Address: strings.TrimSpace(form.Get("address")), Saved: form.Get("saved") != "",
	}
	if v.HasStore && v.Address != "" {
		if err := c.know(r, &v); err != nil {
			c.fail(w, r, err)
			return
		}
	}
	c.render(w, http.StatusOK, "recipient", v)
}

func (c *Console) know(r *http.Request, v *recipientView) (err error) {
	if v.About, err = c.deps.Prefs.About(r.Context(), v.Address); err != nil {
		return err
	}
	slices.Reverse(v.About.Bounces)
	slices.Reverse(v.About.SpamReports)
	v.Toggles = toggles(c.kinds, v.About.Flags)
	records, err := c.deps.Records.Find(r.Context(), stats.Query{Recipient: v.Address, Limit: rowsShown + 1})
	if err != nil {
		return err
	}
	v.More = len(records) > rowsShown
	v.Rows = mailRows(records[:min(len(records), rowsShown)])
	return nil
}

// formPrefs sets the kinds that were shown to what was wanted of them, and leaves the others as they are.
func (c *Console) formPrefs(w http.ResponseWriter, r *http.Request) {
	address := r.PostFormValue("address")
	shown, err := bits(r.PostForm["shown"])
	wanted, wantedErr := bits(r.PostForm["wanted"])
	if err := cmp.Or(job.ValidateAddress("address", address), err, wantedErr); err != nil || c.deps.Prefs == nil {
		c.render(w, http.StatusBadRequest, "fault", faultView{c.page(r, "recipient", "That did not work"), "These are no preferences of an address that could be stored."})
		return
	}
	known, err := c.deps.Prefs.About(r.Context(), address)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	flags := known.Flags&^shown&^job.FlagsAllAllowed | shown&^wanted
	if err := c.deps.Prefs.SetFlags(r.Context(), address, cmp.Or(flags, job.FlagsAllAllowed), time.Now()); err != nil {
		c.fail(w, r, err)
		return
	}
	c.did(r, "set preferences").Int64("flags", flags).Msg("act")
	c.log.Debug().Str("user", userOf(r).Name).Str("recipient", address).Int64("flags", flags).Msg("preferences set")
	query := url.Values{"address": {address}, "saved": {"1"}}
	http.Redirect(w, r, "/recipient?"+query.Encode(), http.StatusSeeOther)
}

// bits joins flags of one bit each.
func bits(texts []string) (all int64, err error) {
	for _, text := range texts {
		bit, err := strconv.ParseInt(text, 10, 64)
		if err != nil || bit&(bit-1) != 0 || bit == job.FlagsAllAllowed {
			return 0, cmp.Or(err, strconv.ErrRange)
		}
		all |= bit
	}
	return all, nil
}
