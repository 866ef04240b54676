package demo_test

import (
	"bytes"
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/demo"
	"github.com/levenlabs/postmaster/internal/testenv/browser"
	"github.com/levenlabs/postmaster/pkg/client"
	"github.com/levenlabs/postmaster/pkg/job"
)

// said keeps what the demo prints.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

// address waits until the demo has told where something is.
func (s *said) address(t *testing.T, what string) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		s.mu.Lock()
		m := regexp.MustCompile(`(?m)^  ` + what + ` +(http://\S+)$`).FindSubmatch(s.buf.Bytes())
		s.mu.Unlock()
		if m != nil {
			return strings.TrimSuffix(string(m[1]), "/")
		}
	}
	t.Fatalf("the demo does not tell where its %s is", what)
	return ""
}

func run(t *testing.T) *said {
	t.Helper()
	const anywhere = "127.0.0.1:0"
	cfg := demo.Config{DataDir: t.TempDir(), APIAddr: anywhere, HooksAddr: anywhere, InboxAddr: anywhere, ConsoleAddr: anywhere, OkqdAddr: anywhere}
	log := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	env := cmdutil.Env{Log: log, Metrics: cmdutil.NewRegistry(), Ready: &cmdutil.Readiness{}, Ops: http.NewServeMux()}
	out := &said{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- demo.Run(ctx, cfg, env, out) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("demo: %v", err)
		}
	})
	return out
}

// TestANewcomerSeesAMailsLifeAndActsOnIt finds a mail in the console, makes it bounce in the inbox, sees that on its
// timeline, opts the recipient out, and requeues a dead letter, by what the pages show.
func TestANewcomerSeesAMailsLifeAndActsOnIt(t *testing.T) {
	t.Parallel()
	tab := browser.NewTab(t)
	out := run(t)
	api, inbox, site := client.New(out.address(t, "JSON-RPC")+"/"), out.address(t, "inbox"), out.address(t, "console")
	browser.NoComplaints(t, tab)
	enqueue := func(to string) string {
		t.Helper()
		id, err := api.Enqueue(t.Context(), &job.Email{To: to, From: "shop@example.org", Subject: "Hello", Text: "It works.", Flags: 2})
		if err != nil {
			t.Fatal(err)
		}
		return string(id)
	}
	id := enqueue("robin@example.com")
	timeline := func(event string) chromedp.Action[chromedp.Void] {
		return chromedp.WaitVisible(`//ol[@id="timeline"]//span[text()="` + event + `"]`)
	}

	browser.Do(t, tab, chromedp.Navigate(site), chromedp.Click(`//nav/a[text()="Mails"]`),
		chromedp.Click(chromedp.CSS(`#m-`+id+` a`)), timeline("enqueued"), timeline("delivered"))

	browser.Do(t, tab, chromedp.Navigate(inbox), chromedp.Click(`//a[text()="Hello"]`), chromedp.Click(chromedp.CSS(`button[value=bounce]`)),
		chromedp.WaitVisible(chromedp.CSS(`#events .badge.bad`)),
		chromedp.Navigate(site+"/mails/"+id), timeline("bounced"))

	browser.Do(t, tab, chromedp.Click(`//dl[@id="facts"]//a[text()="robin@example.com"]`),
		chromedp.Click(`//label[contains(., "news")]/input[@role="switch"]`), chromedp.Click(`//button[text()="Save"]`), chromedp.WaitVisible(chromedp.CSS(`.done`)))
	second := enqueue("robin@example.com")
	browser.Do(t, tab, chromedp.WaitVisible(`//tr[@id="m-`+second+`"]//span[text()="opted out, not sent"]`))

	refuse(t, inbox, "kim@example.com")
	third := enqueue("kim@example.com")
	browser.Do(t, tab, chromedp.Click(`//nav/a[text()="Now"]`),
		chromedp.WaitVisible(`//dl[@class="tiles"]//a[@href="/dead" and text()="1"]`), chromedp.Click(chromedp.CSS(`.tiles a[href="/dead"]`)),
		chromedp.Click(chromedp.CSS(`#d-`+third+` input`)), chromedp.Click(`//button[contains(text(), "Requeue chosen")]`),
		chromedp.Click(`//button[text()="Requeue 1"]`), chromedp.WaitVisible(chromedp.CSS(`.done`)),
		chromedp.Navigate(site+"/mails/"+third), timeline("delivered"))
}

// refuse has the fake SendGrid refuse one mail.
func refuse(t *testing.T, inbox, to string) {
	t.Helper()
	rules := `{"rules": [{"fault": "400", "to": "` + to + `", "count": 1}]}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, inbox+"/api/faults", strings.NewReader(rules))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("set a fault: status %d", resp.StatusCode)
	}
}
