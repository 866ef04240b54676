package browser

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestWhatIsNotAccessibleIsFound(t *testing.T) {
	tab := NewTab(t)
	Do(t, tab, chromedp.Navigate("data:text/html,<html lang=en><title>x</title><main><h1>x</h1><img src=x></main>"))
	found := violations(t, tab)
	if !slices.ContainsFunc(found, func(v violation) bool { return v.ID == "image-alt" && v.Impact == "critical" }) {
		t.Errorf("found %+v, want that the picture has no text", found)
	}
}
