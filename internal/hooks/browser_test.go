package hooks_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// TestARecipientPressesTheButton also leaves pictures of the pages in the folder that PM_TEST_SCREENSHOTS names.
func TestARecipientPressesTheButton(t *testing.T) {
	t.Parallel()
	const address = "alexandra.longname+orders@mail.example.com"
	in := runWithLinks(t, okqdtest.RunT(t).Addr)
	b := openBrowser(t)
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"desktop", 1280, 800}, {"phone", 390, 844}} {
		b.do(chromedp.EmulateViewport(size.width, size.height), chromedp.Navigate(in.link(t, address, 6)))
		if text := value(b, chromedp.Text(chromedp.CSS("main"))); !strings.Contains(text, address) {
			t.Errorf("%s: the page says %q", size.name, text)
		}
		if value(b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)) {
			t.Errorf("%s: the page is wider than the screen", size.name)
		}
		b.picture(size.name + "-ask")
		wantOptOuts(t, in, 0, "", 0)
		if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS("button"))); err != nil {
			t.Fatal(err)
		}
		if text := value(b, chromedp.Text(chromedp.CSS("main"))); !strings.Contains(text, "You are unsubscribed") {
			t.Errorf("%s: after the button the page says %q", size.name, text)
		}
		b.picture(size.name + "-done")
		wantOptOuts(t, in, 1, address, 6)
	}
}

type browser struct {
	t   *testing.T
	ctx context.Context
}

func openBrowser(t *testing.T) browser {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(testenv.Chromium(t)), chromedp.NoSandbox)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return browser{t, ctx}
}

func (b browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func value[T any](b browser, a chromedp.Action[T]) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, a)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("PM_TEST_SCREENSHOTS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), value(b, chromedp.CaptureScreenshot()), 0o644); err != nil {
		b.t.Fatal(err)
	}
}
