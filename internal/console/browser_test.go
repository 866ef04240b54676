package console_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/levenlabs/postmaster/internal/testenv/browser"
)

// screens are a desk's by day and a hand's by night.
var screens = []struct {
	name          string
	width, height int64
	dark          bool
}{{"desktop", 1280, 800, false}, {"phone", 390, 844, true}}

// look wants a page to fit on both screens and to be accessible, and leaves pictures.
func look(t *testing.T, tab context.Context, name, address, ready string) {
	t.Helper()
	for _, s := range screens {
		browser.Dark(t, tab, s.dark)
		browser.Do(t, tab, chromedp.EmulateViewport(s.width, s.height), chromedp.Navigate(address), chromedp.WaitVisible(chromedp.CSS(ready)))
		if width := browser.Ask(t, tab, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); width > s.width {
			t.Errorf("%s is %d wide on a screen of %d", name, width, s.width)
		}
		browser.Accessible(t, tab, name+" on a "+s.name)
		browser.Picture(t, tab, fmt.Sprintf("console-%s-%s", name, s.name))
	}
}

func TestNowMovesWhileOneLooks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tab := browser.NewTab(t)
	browser.NoComplaints(t, tab)
	look(t, tab, "now", r.URL, `#q-email-normal`)
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
	look(t, tab, "login", r.URL+"/", `input[name=name]`)
	browser.Do(t, tab, chromedp.KeyEvent("Kim\tcorrect horse\r"), chromedp.WaitVisible(chromedp.CSS(`#q-email-normal`)))
	look(t, tab, "now-user", r.URL+"/", `.who-am-i`)
}
