package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/console"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

const (
	password         = "correct horse"
	readOnlyPassword = "battery staple"
)

// A rig is a console beside a real okqd and an SQLite file.
type rig struct {
	*testing.T
	URL    string
	okq    *okq.Client
	stores *store.Stores
	log    *logged
}

// An option changes what a console is made of.
type option func(*console.Config, *console.Deps)

// withLogin makes the console ask for a password.
func withLogin(t *testing.T) option {
	return func(c *console.Config, _ *console.Deps) {
		c.PasswordFile, c.ReadOnlyPasswordFile = secret(t, password+"\n"), secret(t, readOnlyPassword)
	}
}

func secret(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withoutStore is a system that has none.
func withoutStore(_ *console.Config, d *console.Deps) { d.Records, d.Prefs = nil, nil }

func newRig(t *testing.T, change ...option) *rig {
	t.Helper()
	r := &rig{T: t, log: &logged{}}
	var err error
	if r.okq, err = okq.New(okq.Options{Addrs: []string{okqdtest.RunT(t).Addr}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.okq.Close)
	r.stores = storetest.Open(t, storetest.SQLite(t))
	cfg, deps := console.Config{Addr: "127.0.0.1:0"}, console.Deps{Queue: r.okq, Records: r.stores.Stats, Prefs: r.stores.Prefs, Beats: r.stores.Beats, Letters: console.NewLetters(r.okq, r.stores.Stats)}
	for _, f := range change {
		f(&cfg, &deps)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := console.New(cfg, deps, zerolog.New(r.log))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	r.URL = c.URL()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("console: %v", err)
		}
	})
	return r
}

// A visitor is a browser without a window: it keeps cookies and shows redirects.
type visitor struct {
	*rig
	client *http.Client
}

func (r *rig) visitor() *visitor {
	jar, _ := cookiejar.New(nil)
	return &visitor{r, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// loggedIn is a visitor who has given a password.
func (r *rig) loggedIn(password string) *visitor {
	r.Helper()
	v := r.visitor()
	if status, _ := v.post("/login", url.Values{"name": {"Kim"}, "password": {password}}); status != http.StatusSeeOther {
		r.Fatalf("login: status %d", status)
	}
	return v
}

type answer struct {
	*http.Response
	body string
}

func (v *visitor) do(req *http.Request) answer {
	v.Helper()
	resp, err := v.client.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	return answer{resp, string(body)}
}

func (v *visitor) request(method, path string, form url.Values) *http.Request {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), method, v.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req
}

func (v *visitor) get(path string) (int, string) {
	v.Helper()
	a := v.do(v.request(http.MethodGet, path, nil))
	return a.StatusCode, a.body
}

func (v *visitor) post(path string, form url.Values) (int, string) {
	v.Helper()
	a := v.do(v.request(http.MethodPost, path, form))
	return a.StatusCode, a.body
}

// eventually waits for something that has to happen.
func (r *rig) eventually(what string, happened func() bool) {
	r.Helper()
	for deadline := time.Now().Add(30 * time.Second); !happened(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("%s: has not happened", what)
		}
	}
}

func mail(to string, change ...func(*job.Email)) *job.Email {
	e := &job.Email{ID: job.NewID(), To: to, From: "shop@example.org", Subject: "Your order", Text: "It left.", Flags: 4, UniqueID: "order-1"}
	for _, f := range change {
		f(e)
	}
	return e
}

func (r *rig) enqueue(e *job.Email, opts ...okq.PushOption) {
	r.Helper()
	contents, err := e.Encode()
	if err != nil {
		r.Fatal(err)
	}
	if err := r.okq.Push(r.Context(), okq.Event{Queue: e.Queue(), ID: string(e.ID), Contents: contents}, opts...); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) push(queue, id string, contents []byte) {
	r.Helper()
	if err := r.okq.Push(r.Context(), okq.Event{Queue: queue, ID: id, Contents: contents}); err != nil {
		r.Fatal(err)
	}
}

// logged keeps what was logged.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// lines are the logged objects with this message.
func (l *logged) lines(message string) []map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []map[string]any
	for line := range strings.Lines(l.buf.String()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["message"] == message {
			found = append(found, fields)
		}
	}
	return found
}

// settle puts a mail's outcome into its record.
func (r *rig) settle(e *job.Email, state stats.State, reason string) {
	r.Helper()
	subject := stats.Subject{ID: e.ID, Recipient: e.To, EmailFlags: e.Flags, UniqueID: e.UniqueID, Env: "test", Created: e.ID.Time()}
	now := time.Now()
	if _, err := r.stores.Stats.Begin(r.Context(), []stats.Attempt{{Subject: subject, Number: 1, Token: "t", At: now}}); err != nil {
		r.Fatal(err)
	}
	s := stats.Settlement{Subject: subject, Number: 1, State: state, Reason: reason, At: now}
	if state == stats.Accepted {
		s.MessageID = "sg-message-7"
	}
	if err := r.stores.Stats.Settle(r.Context(), []stats.Settlement{s}); err != nil {
		r.Fatal(err)
	}
}

// happen folds an event of a mail into its record.
func (r *rig) happen(e *job.Email, kind, reason string) {
	r.Helper()
	event := job.Event{StatsID: e.ID, Type: kind, At: time.Now(), Email: e.To, Reason: reason, Kind: "bounce"}
	if _, err := r.stores.Stats.Fold(r.Context(), []job.Event{event}); err != nil {
		r.Fatal(err)
	}
}
