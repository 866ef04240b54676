package console_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/levenlabs/postmaster/internal/testenv/browser"
)

func TestNowMovesWhileOneLooks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tab := browser.NewTab(t)
	browser.NoComplaints(t, tab)
	browser.Look(t, tab, "console-now", r.URL, `#q-email-normal`)
	browser.Ask(t, tab, chromedp.Evaluate[bool](`window.notReloaded = true`))
	for range 7 {
		r.enqueue(mail("ann@example.com"))
	}
	browser.Do(t, tab, chromedp.WaitVisible(`//tr[@id="q-email-normal"]/td[@data-label="Total"]/b[text()="7"]`))
	browser.Do(t, tab, chromedp.WaitVisible(`//tr[@id="q-email-normal"]/td[@data-label="In /s" and text()!="0" and text()!="–"]`))
	if !browser.Ask(t, tab, chromedp.Evaluate[bool](`window.notReloaded === true`)) {
		t.Error("the page was loaded anew, want it to change in place")
	}
}

func TestLoggingInByKeyboard(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLogin(t))
	tab := browser.NewTab(t)
	browser.NoComplaints(t, tab)
	browser.Look(t, tab, "console-login", r.URL+"/", `input[name=name]`)
	browser.Do(t, tab, chromedp.KeyEvent("Kim\tcorrect horse\r"), chromedp.WaitVisible(chromedp.CSS(`#q-email-normal`)))
	browser.Look(t, tab, "console-now-user", r.URL+"/", `.who-am-i`)
}
