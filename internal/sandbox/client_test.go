package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/webhook"
)

// mailTo is a small valid request.
func mailTo(to, statsID string) string {
	return `{"personalizations":[{"to":[{"email":"` + to + `"}],"custom_args":{"pmStatsID":"` + statsID + `","pmEnvID":"test"}}],
		"from":{"email":"shop@example.com","name":"Shop"},"subject":"Your order",
		"content":[{"type":"text/plain","value":"Thank you."},{"type":"text/html","value":"<p>Thank you.</p>"}],
		"categories":["orders"]}`
}

// sendRequest is a request as a well-behaved client makes it.
func sendRequest(t *testing.T, s *sandbox.Sandbox, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/v3/mail/send", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer SG.test")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	return req
}

// do answers the response and its whole body.
func do(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return resp, string(body)
}

// send posts body and answers the message id it was accepted with.
func send(t *testing.T, s *sandbox.Sandbox, body string) string {
	t.Helper()
	resp, text := do(t, sendRequest(t, s, body))
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("got %d %s, want 202", resp.StatusCode, text)
	}
	return resp.Header.Get("X-Message-Id")
}

// eventually polls until ok, for as long as a busy machine may need.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

// receiver is a webhook that keeps what it was sent, if the signature holds.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex // protects the fields below
	key    string
	fail   int // answer 500 that many times first
	bodies []string
	events []map[string]any
	posts  []*http.Request
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.posts = append(r.posts, req)
		if r.fail > 0 {
			r.fail--
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		var events []map[string]any
		if err != nil || json.Unmarshal(body, &events) != nil {
			t.Errorf("webhook body is not an array of objects: %q", body)
		}
		r.checkSignature(t, req, body)
		r.bodies = append(r.bodies, string(body))
		r.events = append(r.events, events...)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) checkSignature(t *testing.T, req *http.Request, body []byte) {
	if r.key == "" {
		return
	}
	key, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(r.key)
	if err != nil {
		t.Errorf("public key: %v", err)
		return
	}
	good, err := eventwebhook.VerifySignature(key, body, req.Header.Get(webhook.SignatureHeader), req.Header.Get(webhook.TimestampHeader))
	if err != nil || !good {
		t.Errorf("signature of %q: %v %v, want it good", body, good, err)
	}
}

func (r *receiver) verifyWith(publicKey string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.key = publicKey
}

func (r *receiver) failNext(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = n
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

// of are the events for an address, by name, in the order they came.
func (r *receiver) of(email string) (names []string, events []map[string]any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e["email"] == email {
			names = append(names, e["event"].(string))
			events = append(events, e)
		}
	}
	return names, events
}

// waitFor answers an address's events once all of want came. POSTs overtake
// each other, so the events are put in the order of want.
func (r *receiver) waitFor(t *testing.T, email string, want ...string) []map[string]any {
	t.Helper()
	ordered := make([]map[string]any, len(want))
	eventually(t, fmt.Sprintf("events %v for %s", want, email), func() bool {
		names, events := r.of(email)
		for i, w := range want {
			at := slices.Index(names, w)
			if at < 0 {
				return false
			}
			ordered[i] = events[at]
		}
		return true
	})
	return ordered
}

// serve answers the URL of a server that lives as long as the test.
func serve(t testing.TB, handler http.Handler) string {
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return srv.URL
}
