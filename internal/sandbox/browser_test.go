package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/testenv/browser"
)

func htmlMail(to, html string) string {
	value, _ := json.Marshal(html)
	return strings.Replace(mailTo(to, "x"), `"<p>Thank you.</p>"`, string(value), 1)
}

func TestMailAppearsOnTheOpenPageAndAnEventButtonWorks(t *testing.T) {
	t.Parallel()
	tab := browser.NewTab(t)
	hook := newReceiver(t)
	s := sandboxtest.RunT(t, sandboxtest.WebhookURL(hook.URL))
	browser.Do(t, tab, chromedp.Navigate(s.URL()), chromedp.WaitVisible(chromedp.CSS(`.empty`)))
	browser.Ask(t, tab, chromedp.Evaluate[bool](`window.notReloaded = true`))

	id := send(t, s, mailTo("noopen@example.com", "x"))
	browser.Do(t, tab, chromedp.WaitVisible(chromedp.CSS(`#m-`+id+` .badge.good`))) // delivered
	if !browser.Ask(t, tab, chromedp.Evaluate[bool](`window.notReloaded === true`)) {
		t.Error("the page was loaded anew, want it to change in place")
	}
	browser.Do(t, tab,
		chromedp.Click(chromedp.CSS(`#m-`+id+` a`)),
		chromedp.WaitVisible(chromedp.CSS(`button[value=bounce]`)),
		chromedp.Click(chromedp.CSS(`button[value=bounce]`)),
		chromedp.WaitVisible(chromedp.CSS(`#events .badge.bad`)),
		chromedp.WaitVisible(`//li[contains(., "bounce")]//span[contains(@class, "answer") and contains(., "200")]`),
	)
	hook.waitFor(t, "noopen@example.com", "processed", "delivered", "bounce")
}

func TestPagesFitAndAreAccessible(t *testing.T) {
	t.Parallel()
	tab := browser.NewTab(t)
	s := sandboxtest.RunT(t)
	browser.NoComplaints(t, tab)
	browser.Look(t, tab, "inbox-empty", s.URL(), `.empty`)
	for _, to := range []string{"alex@example.com", "someone.with.a.long.name+orders@mail.example.com", "bounce@example.com", "spam@example.com", "drop@example.com"} {
		send(t, s, mailTo(to, "x"))
	}
	id := send(t, s, htmlMail("robin@example.com", `<h1>Your order</h1><p>It <b>left</b>.</p><img src="https://cdn.example.com/logo.png" alt="logo">`))
	if err := s.SetFaults(faults.Next(faults.AcceptError, 1), faults.Rule{Fault: faults.Latency, Probability: .5, Delay: faults.Duration(time.Second), To: "slow@example.com"}); err != nil {
		t.Fatal(err)
	}
	browser.Look(t, tab, "inbox", s.URL(), `#m-`+id+` .badge.good`)
	browser.Look(t, tab, "inbox-mail", s.URL()+"/mails/"+id, `#events .badge.good`)
	browser.Look(t, tab, "inbox-faults", s.URL()+"/faults", `.rules`)
	browser.Look(t, tab, "inbox-settings", s.URL()+"/settings", `.key`)
}

func TestPageWorksWithoutJavaScript(t *testing.T) {
	t.Parallel()
	tab := browser.NewTab(t)
	s := sandboxtest.RunT(t)
	id := send(t, s, mailTo("noopen@example.com", "x"))
	off := emulation.SetScriptExecutionDisabledParams{Value: true}
	if _, err := chromedp.Call(tab, emulation.SetScriptExecutionDisabled, off); err != nil {
		t.Fatal(err)
	}
	browser.Do(t, tab,
		chromedp.Navigate(s.URL()),
		chromedp.Click(chromedp.CSS(`#m-`+id+` a`)),
		chromedp.Click(chromedp.CSS(`button[value=spamreport]`)),
		chromedp.WaitVisible(chromedp.CSS(`button[value=spamreport]`)),
	)
	eventually(t, "the event is made", func() bool {
		m, _ := s.Mail(id)
		for _, e := range m.Events {
			if e.Kind == sandbox.SpamReport {
				return true
			}
		}
		return false
	})
	browser.Do(t, tab,
		chromedp.Navigate(s.URL()+"/faults"),
		chromedp.SetValue(chromedp.CSS(`select[name=fault]`), "503"),
		chromedp.SetValue(chromedp.CSS(`input[name=count]`), "2"),
		chromedp.Submit(chromedp.CSS(`form.fields`)),
		chromedp.WaitVisible(chromedp.CSS(`.rules li`)),
	)
	if rules := s.Faults().Rules; len(rules) != 1 || rules[0].Fault != "503" || rules[0].Count != 2 || rules[0].Probability != 1 {
		t.Errorf("rules %+v, want the next two requests answered 503", rules)
	}
	browser.Do(t, tab, chromedp.Submit(chromedp.CSS(`#rules form`)), chromedp.WaitNotPresent(chromedp.CSS(`.rules`)))
}

// TestAHostileMailLoadsAndRunsNothing clicks into the frame too: a link and a
// submit button cover it.
func TestAHostileMailLoadsAndRunsNothing(t *testing.T) {
	t.Parallel()
	tab := browser.NewTab(t)
	var loads atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { loads.Add(1) }))
	t.Cleanup(evil.Close)
	s := sandboxtest.RunT(t)
	id := send(t, s, htmlMail("alex@example.com", strings.ReplaceAll(`<html><head>
		<meta http-equiv="refresh" content="0; url=EVIL/refresh"><base href="EVIL/">
		<link rel="stylesheet" href="EVIL/css"><link rel="prefetch" href="EVIL/prefetch"><link rel="icon" href="EVIL/icon">
		<style>@import "EVIL/import"; body { background: url(EVIL/background) } @font-face { font-family: f; src: url(EVIL/font) } h1 { font-family: f }</style>
		<script>top.pwned = 1; document.title = "pwned"; fetch("EVIL/fetch")</script><script src="EVIL/js"></script></head>
		<body onload="parent.pwned = 1"><h1>Dear customer</h1><img src="EVIL/img" onerror="parent.pwned = 1"><svg onload="parent.pwned = 1"></svg>
		<iframe src="EVIL/frame"></iframe><object data="EVIL/object"></object><embed src="EVIL/embed"><video poster="EVIL/poster" src="EVIL/video"></video>
		<form action="EVIL/form" method="post"><button style="position:fixed;left:0;top:0;width:100%;height:50%">Win</button></form>
		<a href="EVIL/link" target="_top" style="position:fixed;left:0;top:50%;width:100%;height:50%">Click here</a></body></html>`, "EVIL", evil.URL)))

	browser.Do(t, tab, chromedp.EmulateViewport(1280, 1600), chromedp.Navigate(s.URL()+"/mails/"+id), chromedp.WaitVisible(chromedp.CSS(`iframe`)))
	box := browser.Ask(t, tab, chromedp.Evaluate[struct{ X, Y, Width, Height float64 }](
		`(() => { const b = document.querySelector("iframe").getBoundingClientRect(); return {X: b.x, Y: b.y, Width: b.width, Height: b.height} })()`))
	for _, part := range []float64{0.25, 0.75} {
		browser.Do(t, tab, chromedp.MouseClickXY(box.X+box.Width/2, box.Y+box.Height*part))
	}
	// Whatever the mail could start is under way by the time a whole page has
	// loaded three times after it.
	address, title := browser.Ask(t, tab, chromedp.Location()), browser.Ask(t, tab, chromedp.Title())
	pwned := browser.Ask(t, tab, chromedp.Evaluate[bool](`"pwned" in window`))
	for range 3 {
		browser.Do(t, tab, chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS(`iframe`)))
	}
	if pwned || title != "Your order" || !strings.HasPrefix(address, s.URL()) {
		t.Errorf("script ran %v, title %q, address %q; want nothing changed", pwned, title, address)
	}
	if n := loads.Load(); n != 0 {
		t.Errorf("%d requests to the mail's server, want none", n)
	}

	// The same page opened outside of the frame has the same policy; and the
	// server does count requests.
	browser.Do(t, tab, chromedp.Navigate(s.URL()+"/mails/"+id+"/html"), chromedp.WaitVisible(chromedp.CSS(`h1`)))
	if n := loads.Load(); n != 0 {
		t.Errorf("%d requests to the mail's server from outside of the frame, want none", n)
	}
	browser.Do(t, tab, chromedp.Navigate(evil.URL))
	if loads.Load() == 0 {
		t.Error("the mail's server counts nothing: this test proves nothing")
	}
}

func TestSubjectsAndNamesAreEscaped(t *testing.T) {
	t.Parallel()
	tab := browser.NewTab(t)
	s := sandboxtest.RunT(t)
	body := strings.Replace(mailTo("alex@example.com", `<script>pwned=1</script>`), `"Your order"`, `"<img src=x onerror=pwned=1> \"'"`, 1)
	id := send(t, s, strings.Replace(body, `"Shop"`, `"<script>pwned=1</script>"`, 1))
	browser.Do(t, tab, chromedp.Navigate(s.URL()+"/?q=%3Cscript%3Epwned=1%3C/script%3E"), chromedp.WaitVisible(chromedp.CSS(`#m-`+id)))
	subject := browser.Ask(t, tab, chromedp.Text(chromedp.CSS(`#m-`+id+` a`)))
	browser.Do(t, tab, chromedp.Click(chromedp.CSS(`#m-`+id+` a`)), chromedp.WaitVisible(chromedp.CSS(`h1.title`)))
	heading := browser.Ask(t, tab, chromedp.Text(chromedp.CSS(`h1.title`)))
	pwned := browser.Ask(t, tab, chromedp.Evaluate[bool](`"pwned" in window`))
	if want := `<img src=x onerror=pwned=1> "'`; subject != want || heading != want || pwned {
		t.Errorf("subject %q, heading %q, script ran %v; want the text as it is", subject, heading, pwned)
	}
}
