package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A relay stands in the place of the load balancer before pm-hooks. It passes SendGrid's POSTs on byte for byte and
// keeps the events of those that were answered 200: the ones that SendGrid will never send again.
type relay struct {
	addr    string
	targets []string
	client  *http.Client
	server  *http.Server

	mu     sync.Mutex // protects the fields below
	next   int
	told   map[string]job.Event // by sg_event_id
	posts  int
	failed int // of those: not answered 200
}

func newRelay(targets []string) (*relay, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{addr: ln.Addr().String(), targets: targets, client: &http.Client{Timeout: 9 * time.Second}, told: map[string]job.Event{}}
	r.server = &http.Server{Handler: r}
	go r.server.Serve(ln) // ends with close
	return r, nil
}

func (r *relay) close() { r.server.Close() }

func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	status := r.pass(req.Context(), req.Header, body)
	r.note(status, body)
	w.WriteHeader(status)
}

// pass returns 502 for a pm-hooks that gives no answer.
func (r *relay) pass(ctx context.Context, header http.Header, body []byte) int {
	r.mu.Lock()
	target := r.targets[r.next%len(r.targets)]
	r.next++
	r.mu.Unlock()
	out, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+target+"/", bytes.NewReader(body))
	if err != nil {
		return http.StatusBadGateway
	}
	out.Header = header.Clone()
	resp, err := r.client.Do(out)
	if err != nil {
		return http.StatusBadGateway
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (r *relay) note(status int, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts++
	if status != http.StatusOK {
		r.failed++
		return
	}
	raws, err := job.SplitEvents(body)
	if err != nil {
		return
	}
	for _, raw := range raws {
		if e, err := job.DecodeEvent(raw); err == nil && e.Ours() {
			r.told[e.ID] = e
		}
	}
}

// events are those that were answered 200 for, by mail.
func (r *relay) events() map[string][]job.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	byMail := map[string][]job.Event{}
	for _, e := range r.told {
		byMail[string(e.StatsID)] = append(byMail[string(e.StatsID)], e)
	}
	return byMail
}

func (r *relay) counts() (posts, failed, events int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.posts, r.failed, len(r.told)
}
