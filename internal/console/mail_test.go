package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/levenlabs/postmaster/internal/testenv/browser"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// wantIn checks what a page says, and what it does not.
func wantIn(t *testing.T, page string, want []string, not ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q: %s", text, page)
		}
	}
	for _, text := range not {
		if strings.Contains(page, text) {
			t.Errorf("the page says %q: %s", text, page)
		}
	}
}

func TestAMailIsFoundByRecipientUniqueIDAndID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, bob := mail("ann@example.com"), mail("bob@example.com", func(e *job.Email) { e.UniqueID = "order-2" })
	for _, e := range []*job.Email{ann, bob} {
		r.settle(e, stats.Accepted, "")
	}
	v := r.visitor()
	annRow, bobRow := `<a href="/mails/`+string(ann.ID)+`">ann@example.com</a>`, `<a href="/mails/`+string(bob.ID)+`">bob@example.com</a>`
	_, page := v.get("/mails")
	wantIn(t, page, []string{annRow, bobRow})
	_, page = v.get("/mails?q=ann@example.com")
	wantIn(t, page, []string{annRow, `<a href="/recipient?address=ann%40example.com">`}, bobRow)
	_, page = v.get("/mails?q=order-2")
	wantIn(t, page, []string{bobRow}, annRow)
	_, page = v.get("/mails?unknown=1")
	wantIn(t, page, []string{"No outcome is unknown"}, annRow)
	a := v.do(v.request(http.MethodGet, "/mails?q=+"+strings.ToUpper(string(bob.ID)), nil))
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/mails/"+string(bob.ID) {
		t.Errorf("by ID: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	_, page = v.get("/mails?q=nobody@example.com")
	wantIn(t, page, []string{"No mail found"})
}

func TestLongListsHavePages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 120 {
		r.settle(mail("ann@example.com"), stats.Accepted, "")
	}
	v := r.visitor()
	for _, path := range []string{"/mails", "/mails?q=ann%40example.com"} {
		seen := 0
		for pages := 0; path != "" && pages < 5; pages++ {
			_, page := v.get(path)
			seen += strings.Count(page, `<tr id="m-`)
			_, more, _ := strings.Cut(page, `<a href="/mails?`)
			more, _, found := strings.Cut(more, `">Older</a>`)
			path = ""
			if found {
				path = "/mails?" + strings.ReplaceAll(more, "&amp;", "&")
			}
		}
		if seen != 120 {
			t.Errorf("%d mails on all pages, want 120", seen)
		}
	}
}

func TestTheTimelineTellsAttemptsEventsAndReasons(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := mail("ann@example.com")
	r.settle(e, stats.Accepted, "")
	r.happen(e, job.EventProcessed, "")
	r.happen(e, job.EventBounce, "550 5.1.1 no such user")
	_, page := r.visitor().get("/mails/" + string(e.ID))
	wantIn(t, page, []string{">enqueued<", "attempt 1: accepted", "sg-message-7", ">processed<", ">bounced<", "550 5.1.1 no such user",
		"The job is in no queue any more"}, "Show the body")
}

func TestAWaitingMailShowsItsJobAndItsBodyOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLogin(t))
	const secret, secretHTML = "the launch code is 1234", "<p>launch</p>"
	e := mail("ann@example.com", func(e *job.Email) { e.Text, e.HTML, e.SendAt = secret, secretHTML, time.Now().Add(time.Hour).Unix() })
	r.enqueue(e, okq.Delay(time.Hour))
	v := r.loggedIn(readOnlyPassword)
	_, page := v.get("/mails/" + string(e.ID))
	wantIn(t, page, []string{"scheduled", "Your order", "shop@example.org", "waits in email-normal for another 59 min", "to be sent"}, secret, "<iframe")
	if len(r.log.lines("act")) != 0 {
		t.Errorf("logged %v before the body was shown", r.log.lines("act"))
	}
	_, page = v.get("/mails/" + string(e.ID) + "?body=1")
	wantIn(t, page, []string{secret, `<iframe sandbox `})
	if lines := r.log.lines("act"); len(lines) != 1 || lines[0]["user"] != "Kim" || lines[0]["job_id"] != string(e.ID) {
		t.Errorf("logged %v, want who looked at which body", lines)
	}
	a := v.do(v.request(http.MethodGet, "/mails/"+string(e.ID)+"/html", nil))
	if policy := a.Header.Get("Content-Security-Policy"); a.body != secretHTML || !strings.HasPrefix(policy, "sandbox; default-src 'none';") {
		t.Errorf("the frame: %q with policy %q", a.body, policy)
	}
}

func TestADeadMailTellsWhyItDied(t *testing.T) {
	t.Parallel()
	r := newRig(t, withoutStore)
	e := mail("ann@example.com")
	r.bury(e, job.ReasonRejected, "the from address is not verified")
	v := r.visitor()
	a := v.do(v.request(http.MethodGet, "/mails?q="+string(e.ID), nil))
	if a.StatusCode != http.StatusSeeOther {
		t.Errorf("by ID without a store: %d", a.StatusCode)
	}
	_, page := v.get("/mails/" + string(e.ID))
	wantIn(t, page, []string{"dead letter", "rejected: the from address is not verified", "ready in email-dead", "Your order"})
	_, page = v.get("/mails")
	wantIn(t, page, []string{"There is no store"})
}

func (r *rig) bury(e *job.Email, reason, detail string) {
	r.Helper()
	contents, err := e.Encode()
	if err != nil {
		r.Fatal(err)
	}
	letter := job.DeadLetter{ID: string(e.ID), Queue: e.Queue(), Reason: reason, Detail: detail, Attempts: 1}
	letter.SetContents(contents)
	if contents, err = letter.Encode(); err != nil {
		r.Fatal(err)
	}
	if err := r.okq.Push(r.Context(), okq.Event{Queue: job.QueueEmailDead, ID: string(e.ID), Contents: contents}); err != nil {
		r.Fatal(err)
	}
}

func TestAMailThatIsNowhereIsNotFound(t *testing.T) {
	t.Parallel()
	v := newRig(t).visitor()
	for _, path := range []string{"/mails/" + string(job.NewID()), "/mails/" + string(job.NewID()) + "/html", "/mails/x", "/mails/x/html"} {
		if status, _ := v.get(path); status != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404", path, status)
		}
	}
}

func TestOneSeesAMailBounce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tab := browser.NewTab(t)
	browser.NoComplaints(t, tab)
	waiting := mail("robin@example.com", func(e *job.Email) {
		e.HTML, e.Categories, e.UniqueArgs = "<h1>Your order</h1><p>It <b>left</b>.</p>", []string{"orders"}, map[string]string{"shop": "7"}
	})
	r.enqueue(waiting)
	for i := range 12 {
		r.settle(mail(fmt.Sprintf("someone.with.a.long.name+%d@mail.example.com", i)), []stats.State{stats.Accepted, stats.Unknown, stats.Dead}[i%3], "")
	}
	e := mail("ann@example.com")
	r.settle(e, stats.Accepted, "")
	r.happen(e, job.EventProcessed, "")
	browser.Look(t, tab, "console-mails", r.URL+"/mails", `#m-`+string(e.ID))
	browser.Look(t, tab, "console-mail-queued", r.URL+"/mails/"+string(waiting.ID)+"?body=1", `iframe`)
	browser.Do(t, tab, // as a user would: search, and open
		chromedp.Navigate(r.URL+"/"), chromedp.Click(chromedp.CSS(`nav a[href="/mails"]`)),
		chromedp.WaitVisible(chromedp.CSS(`input[name=q]`)), chromedp.SendKeys(chromedp.CSS(`input[name=q]`), "ann@example.com\r"),
		chromedp.WaitNotPresent(`//td[contains(., "someone")]`),
		chromedp.Click(chromedp.CSS(`#m-`+string(e.ID)+` a`)), chromedp.WaitVisible(chromedp.CSS(`#timeline`)))
	browser.Ask(t, tab, chromedp.Evaluate[bool](`window.notReloaded = true`))
	r.happen(e, job.EventBounce, "550 5.1.1 no such user")
	browser.Do(t, tab, chromedp.WaitVisible(`//ol[@id="timeline"]//span[text()="bounced"]`), chromedp.WaitVisible(`//dl[@id="facts"]//span[text()="bounced"]`))
	if !browser.Ask(t, tab, chromedp.Evaluate[bool](`window.notReloaded === true`)) {
		t.Error("the page was loaded anew, want it to change in place")
	}
	browser.Look(t, tab, "console-mail", r.URL+"/mails/"+string(e.ID), `#timeline`)
}

// TestAHostileMailRunsAndLoadsNothing clicks into the frame too: a link and a submit button cover it.
func TestAHostileMailRunsAndLoadsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tab := browser.NewTab(t)
	var loads atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { loads.Add(1) }))
	t.Cleanup(evil.Close)
	e := mail("ann@example.com", func(e *job.Email) {
		e.Subject, e.FromName, e.UniqueArgs = `<img src=x onerror=pwned=1>`, `<script>pwned=1</script>`, map[string]string{`<b onclick=x>`: `"><script>pwned=1</script>`}
		e.HTML = strings.ReplaceAll(`<html><head><meta http-equiv="refresh" content="0; url=EVIL/refresh"><base href="EVIL/">
			<link rel="stylesheet" href="EVIL/css"><style>@import "EVIL/import"; body { background: url(EVIL/background) }</style>
			<script>top.pwned = 1; fetch("EVIL/fetch"); fetch("/logout", {method: "POST"})</script><script src="EVIL/js"></script></head>
			<body onload="parent.pwned = 1"><img src="EVIL/img" onerror="parent.pwned = 1"><svg onload="parent.pwned = 1"></svg>
			<iframe src="EVIL/frame"></iframe><object data="EVIL/object"></object><embed src="EVIL/embed"><video poster="EVIL/poster" src="EVIL/video"></video>
			<form action="EVIL/form" method="post"><button style="position:fixed;left:0;top:0;width:100%;height:50%">Win</button></form>
			<a href="EVIL/link" target="_top" style="position:fixed;left:0;top:50%;width:100%;height:50%">Click here</a></body></html>`, "EVIL", evil.URL)
	})
	r.enqueue(e)
	address := r.URL + "/mails/" + string(e.ID) + "?body=1"
	browser.Do(t, tab, chromedp.EmulateViewport(1280, 2000), chromedp.Navigate(address), chromedp.WaitVisible(chromedp.CSS(`iframe`)))
	box := browser.Ask(t, tab, chromedp.Evaluate[struct{ X, Y, Width, Height float64 }](
		`(() => { const b = document.querySelector("iframe").getBoundingClientRect(); return {X: b.x, Y: b.y, Width: b.width, Height: b.height} })()`))
	for _, part := range []float64{0.25, 0.75} {
		browser.Do(t, tab, chromedp.MouseClickXY(box.X+box.Width/2, box.Y+box.Height*part))
	}
	here := browser.Ask(t, tab, chromedp.Location())
	pwned := browser.Ask(t, tab, chromedp.Evaluate[bool](`"pwned" in window`))
	// Whatever the mail could start is under way by the time a whole page has loaded three times after it.
	for range 3 {
		browser.Do(t, tab, chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS(`iframe`)))
	}
	browser.Do(t, tab, chromedp.Navigate(r.URL+"/mails/"+string(e.ID)+"/html"), chromedp.WaitVisible(chromedp.CSS(`a`)))
	if n := loads.Load(); pwned || here != address || n != 0 {
		t.Errorf("script ran %v, address %q, %d requests to the mail's server; want nothing of it", pwned, here, n)
	}
	browser.Do(t, tab, chromedp.Navigate(evil.URL))
	if loads.Load() == 0 {
		t.Error("the mail's server counts nothing: this test proves nothing")
	}
}

func TestASearchIsShownAsText(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, page := r.visitor().get("/mails?q=" + url.QueryEscape(`"><script>x</script>@`))
	wantIn(t, page, nil, "<script>x")
}
