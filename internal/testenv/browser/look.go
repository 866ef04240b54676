package browser

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
)

// screens are a desk's by day and a hand's by night.
var screens = []struct {
	name          string
	width, height int64
	dark          bool
}{{"desktop", 1280, 800, false}, {"phone", 390, 844, true}}

// Look opens a page and wants it to fit on a desk's and on a hand's screen and to be accessible on both. It leaves pictures
// called NAME-desktop and NAME-phone. ready selects what the page shows once it is complete.
func Look(t *testing.T, tab context.Context, name, address, ready string) {
	t.Helper()
	for _, s := range screens {
		Dark(t, tab, s.dark)
		Do(t, tab, chromedp.EmulateViewport(s.width, s.height), chromedp.Navigate(address), chromedp.WaitVisible(chromedp.CSS(ready)))
		if width := Ask(t, tab, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); width > s.width {
			t.Errorf("%s is %d wide on a screen of %d", name, width, s.width)
		}
		Accessible(t, tab, name+" on a "+s.name)
		// What is out of sight in a frame of another process is not painted, so the whole page comes into sight.
		height := Ask(t, tab, chromedp.Evaluate[int64](`document.documentElement.scrollHeight`))
		Do(t, tab, chromedp.EmulateViewport(s.width, height))
		Picture(t, tab, name+"-"+s.name)
	}
}
