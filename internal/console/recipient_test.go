package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/levenlabs/postmaster/internal/console"
	"github.com/levenlabs/postmaster/internal/testenv/browser"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func withNames(c *console.Config, _ *console.Deps) {
	c.FlagNames = map[string]string{"4": "digest", "2": "news"}
}

func (r *rig) flags(address string) int64 {
	r.Helper()
	known, err := r.stores.Prefs.About(r.Context(), address)
	if err != nil {
		r.Fatal(err)
	}
	return known.Flags
}

func TestFlagNamesThatAreNoBitsAreRefused(t *testing.T) {
	for bit, fine := range map[string]bool{"2": true, "4": true, "4611686018427387904": true, "1": false, "0": false, "3": false, "-2": false, "x": false} {
		cfg := console.Config{Addr: "127.0.0.1:0", FlagNames: map[string]string{bit: "news"}}
		if err := cfg.Validate(); (err == nil) != fine || err != nil && !strings.Contains(err.Error(), "--flag-names") {
			t.Errorf("%s=news: %v", bit, err)
		}
	}
}

func TestPreferencesAreSetAndWhatWasNotShownStays(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLogin(t), withNames)
	const ann = "ann@example.com"
	if err := r.stores.Prefs.SetFlags(t.Context(), ann, 2|1024, time.Now()); err != nil {
		t.Fatal(err)
	}
	v := r.loggedIn(password)
	_, page := v.get("/recipient?address=" + url.QueryEscape(ann))
	wantIn(t, page, []string{"news", "digest", "mail with flag 1024", "Stored flags: 1026"})
	for _, c := range []struct {
		wanted []string
		want   int64
	}{{[]string{"2"}, 4 | 1024}, {nil, 2 | 4 | 1024}, {[]string{"2", "4"}, 1024}} {
		status, _ := v.post("/recipient", url.Values{"address": {ann}, "shown": {"2", "4"}, "wanted": c.wanted})
		if got := r.flags(ann); status != http.StatusSeeOther || got != c.want {
			t.Errorf("wanted %v: status %d, flags %d, want %d", c.wanted, status, got, c.want)
		}
	}
	v.post("/recipient", url.Values{"address": {ann}, "shown": {"1024"}, "wanted": {"1024"}})
	if got := r.flags(ann); got != 1 {
		t.Errorf("flags %d, want 1: all allowed", got)
	}
	if lines := r.log.lines("act"); len(lines) != 4 || lines[0]["user"] != "Kim" || lines[0]["act"] != "set preferences" {
		t.Errorf("logged %v, want each act with who did it", lines)
	}
	for _, bad := range []url.Values{
		{"address": {"nobody"}}, {"address": {ann}, "shown": {"3"}}, {"address": {ann}, "shown": {"2"}, "wanted": {"x"}}, {"address": {ann}, "shown": {"1"}},
	} {
		if status, _ := v.post("/recipient", bad); status != http.StatusBadRequest {
			t.Errorf("%v: %d, want 400", bad, status)
		}
	}
	look := r.loggedIn(readOnlyPassword)
	if status, _ := look.post("/recipient", url.Values{"address": {ann}, "shown": {"2"}}); status != http.StatusForbidden || r.flags(ann) != 1 {
		t.Errorf("a read-only user: %d, flags %d", status, r.flags(ann))
	}
	_, page = look.get("/recipient?address=" + url.QueryEscape(ann))
	wantIn(t, page, []string{" disabled>"}, ">Save<")
}

func TestOneOptsARecipientOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, withNames)
	const ann = "ann@example.com"
	var incidents []prefs.Incident
	for i := range 3 {
		incidents = append(incidents, prefs.Incident{Address: ann, Kind: prefs.Bounce, At: time.Now().Add(-time.Duration(i) * time.Hour)})
	}
	incidents = append(incidents, prefs.Incident{Address: ann, Kind: prefs.SpamReport, At: time.Now()})
	if _, err := r.stores.Prefs.Record(t.Context(), incidents); err != nil {
		t.Fatal(err)
	}
	e := mail(ann)
	r.settle(e, stats.Accepted, "")
	tab := browser.NewTab(t)
	browser.NoComplaints(t, tab)
	browser.Do(t, tab, chromedp.Navigate(r.URL+"/mails/"+string(e.ID)), // from the mail to whom it was to
		chromedp.Click(chromedp.CSS(`#facts a[href^="/recipient"]`)), chromedp.WaitVisible(chromedp.CSS(`#m-`+string(e.ID))),
		chromedp.Click(`//label[contains(., "news")]/input[@role="switch"]`), chromedp.Click(`//button[text()="Save"]`),
		chromedp.WaitVisible(chromedp.CSS(`.done`)))
	if got := r.flags(ann); got != 2 {
		t.Errorf("flags %d, want 2: no news", got)
	}
	if on := browser.Ask(t, tab, chromedp.Evaluate[string](`[...document.querySelectorAll("input[role=switch]")].map(s => s.checked).join()`)); on != "false,true" {
		t.Errorf("the switches show %s, want news off and digest on", on)
	}
	text := browser.Ask(t, tab, chromedp.Text(chromedp.CSS(`main`)))
	wantIn(t, text, []string{"Bounces\n3", "Spam reports\n1"})
	browser.Look(t, tab, "console-recipient", fmt.Sprintf("%s/recipient?address=%s&saved=1", r.URL, url.QueryEscape(ann)), `.toggle`)
	browser.Look(t, tab, "console-recipients", r.URL+"/recipient", `.empty`)
}
