package browser

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// NoComplaints makes the test fail if the tab's console gets an error until the test's end: an exception, something that
// did not load, or something that a policy forbade. What the tab looks at runs already: a page that follows a stream
// complains, rightly, when its server stops before this looks for the last time.
func NoComplaints(t *testing.T, tab context.Context) {
	t.Helper()
	var mu sync.Mutex // protects complaints
	var complaints []string
	complain := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, fmt.Sprintf(format, args...))
	}
	err := chromedp.Listen(tab, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			complain("exception: %s", ev.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if ev.Type == "error" || ev.Type == "assert" {
				complain("console.%s", ev.Type)
			}
		case *log.EventEntryAdded:
			if ev.Entry.Level == "error" {
				complain("%s: %s (%s)", ev.Entry.Source, ev.Entry.Text, ev.Entry.URL)
			}
		}
	})
	if err != nil {
		t.Fatalf("browser: %v", err)
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range complaints {
			t.Errorf("the browser's console says %s", c)
		}
	})
}
