package hooks_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv/browser"
)

// TestARecipientPressesTheButton also leaves pictures of the pages in the folder that PM_TEST_SCREENSHOTS names.
func TestARecipientPressesTheButton(t *testing.T) {
	t.Parallel()
	const address = "alexandra.longname+orders@mail.example.com"
	in := runWithLinks(t, okqdtest.RunT(t).Addr)
	tab := browser.NewTab(t)
	browser.NoComplaints(t, tab)
	browser.Look(t, tab, "unsubscribe-ask", in.link(t, address, 6), "button")
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"desktop", 1280, 800}, {"phone", 390, 844}} {
		browser.Do(t, tab, chromedp.EmulateViewport(size.width, size.height), chromedp.Navigate(in.link(t, address, 6)))
		if text := browser.Ask(t, tab, chromedp.Text(chromedp.CSS("main"))); !strings.Contains(text, address) {
			t.Errorf("%s: the page says %q", size.name, text)
		}
		wantOptOuts(t, in, 0, "", 0)
		if _, err := chromedp.RunResponse(tab, chromedp.Click(chromedp.CSS("button"))); err != nil {
			t.Fatal(err)
		}
		if text := browser.Ask(t, tab, chromedp.Text(chromedp.CSS("main"))); !strings.Contains(text, "You are unsubscribed") {
			t.Errorf("%s: after the button the page says %q", size.name, text)
		}
		browser.Accessible(t, tab, "unsubscribed")
		browser.Picture(t, tab, "unsubscribe-done-"+size.name)
		wantOptOuts(t, in, 1, address, 6)
	}
}
