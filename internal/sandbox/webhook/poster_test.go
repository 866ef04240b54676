package webhook

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"
)

// note is an Event that counts what is done with it.
type note struct {
	text string

	mu       sync.Mutex // protects the fields below
	rendered int
	answers  []int
	lastErr  error
}

func (n *note) Render(time.Time) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rendered++
	return fmt.Appendf(nil, `{"n":%q}`, n.text)
}

func (n *note) Answered(status int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers, n.lastErr = append(n.answers, status), err
}

func (n *note) seen() (rendered int, answers []int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rendered, n.answers, n.lastErr
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// start runs a Poster towards handler until the test ends.
func start(t *testing.T, cfg Config, handler http.HandlerFunc) *Poster {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	cfg.Key = newKey(t)
	p, err := New(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	u, err := ParseURL(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	p.SetURL(u)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return p
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

func TestEventsDueTogetherShareAPostUpToItsSize(t *testing.T) {
	t.Parallel()
	sizes := make(chan int, 100)
	p := start(t, Config{MaxBatchEvents: 10}, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sizes <- strings.Count(string(body), `{"n":`)
	})
	for i := range 25 {
		p.Schedule(&note{text: fmt.Sprint(i)}, 100*time.Millisecond)
	}
	eventually(t, "all posted", func() bool { return p.Counts().Delivered == 25 })
	close(sizes)
	posts := 0
	for n := range sizes {
		if posts++; n > 10 {
			t.Errorf("a post of %d events, want at most 10", n)
		}
	}
	if posts > 10 {
		t.Errorf("%d posts for 25 events that were due together", posts)
	}
}

func TestASharedBodyIsWrittenLikeSendGrids(t *testing.T) {
	t.Parallel()
	b := &batch{}
	for _, text := range []string{"a", "b"} {
		b.add(&pending{json: fmt.Appendf(nil, `{"n":%q}`, text)})
	}
	if got, want := string(b.body), "[{\"n\":\"a\"},\r\n{\"n\":\"b\"}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRefusedBatchIsRepeatedByteForByte(t *testing.T) {
	t.Parallel()
	type post struct{ body, timestamp, signature string }
	var mu sync.Mutex
	var posts []post
	p := start(t, Config{RetryMin: time.Millisecond, RetryMax: 4 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		posts = append(posts, post{string(body), r.Header.Get(TimestampHeader), r.Header.Get(SignatureHeader)})
		switch len(posts) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect) // not followed, so: refused
		case 3:
			panic(http.ErrAbortHandler) // no answer at all
		}
	})
	n := &note{text: "x"}
	p.Schedule(n, 0)
	eventually(t, "accepted at last", func() bool { return p.Counts().Delivered == 1 })
	mu.Lock()
	defer mu.Unlock()
	if len(posts) != 4 || posts[0] != posts[1] || posts[1] != posts[2] || posts[2] != posts[3] {
		t.Errorf("posts %v, want the same one four times", posts)
	}
	rendered, answers, _ := n.seen()
	if fmt.Sprint(answers) != "[503 307 0 200]" || rendered != 1 {
		t.Errorf("answers %v, rendered %d times; want 503, 307, none, 200 and once", answers, rendered)
	}
	key, err := PublicKey(p.cfg.Key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(key)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := eventwebhook.VerifySignature(public, []byte(posts[3].body), posts[3].signature, posts[3].timestamp); !ok || err != nil {
		t.Errorf("signature: %v %v", ok, err)
	}
}

func TestEventsTooOldAreGivenUpAndCounted(t *testing.T) {
	t.Parallel()
	p := start(t, Config{RetryMin: time.Millisecond, RetryFor: 20 * time.Millisecond}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	})
	p.Schedule(&note{}, 0)
	eventually(t, "given up", func() bool { c := p.Counts(); return c.Lost == 1 && c.Buffered == 0 && c.Delivered == 0 })
}

func TestTheBufferIsBounded(t *testing.T) {
	t.Parallel()
	p := start(t, Config{MaxBuffered: 5}, func(http.ResponseWriter, *http.Request) {})
	for range 8 {
		p.Schedule(&note{}, time.Hour)
	}
	if c := p.Counts(); c.Buffered != 5 || c.Lost != 3 {
		t.Errorf("counts %+v, want 5 buffered and 3 lost", c)
	}
}

func TestPostsInFlightAreBounded(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now, most := 0, 0
	p := start(t, Config{Concurrency: 3, MaxBatchEvents: 1, BatchWait: time.Nanosecond}, func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		now--
		mu.Unlock()
	})
	for range 50 {
		p.Schedule(&note{}, 0)
	}
	eventually(t, "all posted", func() bool { return p.Counts().Delivered == 50 })
	if most > 3 {
		t.Errorf("%d posts at once, want at most 3", most)
	}
}

func TestWithoutAURLEventsAreRenderedOnly(t *testing.T) {
	t.Parallel()
	p := start(t, Config{}, func(http.ResponseWriter, *http.Request) { t.Error("posted") })
	p.SetURL(nil)
	n := &note{}
	p.Schedule(n, 0)
	eventually(t, "told so", func() bool {
		rendered, answers, err := n.seen()
		return rendered == 1 && len(answers) == 1 && errors.Is(err, ErrNoWebhook)
	})
	eventually(t, "not kept", func() bool { c := p.Counts(); return c.Buffered == 0 && c.Posts == 0 })
}

func TestStoppingDoesNotWaitForASlowReceiver(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(leave) })
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-leave }))
	p, err := New(Config{Key: newKey(t), Timeout: time.Hour}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	u, _ := ParseURL(srv.URL)
	p.SetURL(u)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	p.Schedule(&note{}, 0)
	<-entered
	cancel()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("Run did not return")
	}
}

func TestParseURLNeverRepeatsThePassword(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"ftp://a:hunter2@host/", "http://a:hunter2@ho st/", "http://", "host:1", "http://a:hunter2@[::1"} {
		if _, err := ParseURL(raw); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want an error without the password", raw, err)
		}
	}
	p, err := New(Config{Key: newKey(t)}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	u, err := ParseURL("http://a:hunter2@127.0.0.1:1/x")
	if err != nil {
		t.Fatal(err)
	}
	if p.SetURL(u); strings.Contains(p.URL(), "hunter2") {
		t.Errorf("URL %q shows the password", p.URL())
	}
}
