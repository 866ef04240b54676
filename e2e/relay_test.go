package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/levenlabs/postmaster/internal/sandbox"
)

// A relay stands between SendGrid and pm-hooks. It passes POSTs on byte for byte and keeps each event that it saw.
// While it is shut it answers 503, so that SendGrid keeps its events.
type relay struct {
	*httptest.Server
	target string

	mu     sync.Mutex // protects the fields below
	open   bool
	events map[string]json.RawMessage // by sg_event_id
	order  []string                   // of their first arrival
	posts  int                        // passed on
	failed int                        // of those, not answered 200
}

func newRelay(t *testing.T, s *sandbox.Sandbox, target string) *relay {
	r := &relay{target: target, events: map[string]json.RawMessage{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	if err := s.SetWebhookURL(r.URL); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *relay) unlock() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = true
}

func (r *relay) counts() (posts, failed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.posts, r.failed
}

// ServeHTTP answers 502 for a pm-hooks that gives no answer.
func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil || !r.keep(body) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	status := http.StatusBadGateway
	out, err := http.NewRequestWithContext(req.Context(), http.MethodPost, r.target, bytes.NewReader(body))
	if err == nil {
		out.Header = req.Header.Clone()
		var resp *http.Response
		if resp, err = http.DefaultClient.Do(out); err == nil {
			status = resp.StatusCode
			resp.Body.Close()
		}
	}
	r.mu.Lock()
	r.posts++
	if status != http.StatusOK {
		r.failed++
	}
	r.mu.Unlock()
	w.WriteHeader(status)
}

// keep tells whether the relay is open, and remembers the events if it is.
func (r *relay) keep(body []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open {
		return false
	}
	var raws []json.RawMessage
	if json.Unmarshal(body, &raws) != nil {
		return false
	}
	for _, raw := range raws {
		var event struct {
			ID string `json:"sg_event_id"`
		}
		if json.Unmarshal(raw, &event) != nil || event.ID == "" {
			return false
		}
		if r.events[event.ID] == nil {
			r.events[event.ID] = raw
			r.order = append(r.order, event.ID)
		}
	}
	return true
}

// replay posts each event once, to a pm-hooks that asks for no signature.
func (r *relay) replay(t *testing.T, url string) {
	t.Helper()
	for ids := range slices.Chunk(r.order, 500) {
		var batch []json.RawMessage
		for _, id := range ids {
			batch = append(batch, r.events[id])
		}
		body, err := json.Marshal(batch)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(url, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("status %d of a quiet pm-hooks", resp.StatusCode)
		}
	}
}
