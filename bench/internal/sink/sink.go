// Package sink is a SendGrid that takes every mail and does nothing else.
package sink

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// SendGrid takes every mail after a time. It reads bodies and checks nothing, to leave the CPU to what is measured.
type SendGrid struct {
	*httptest.Server
	latency atomic.Int64
	n       atomic.Int64

	mu          sync.Mutex // protects the fields below
	first, last time.Time
}

// New returns one that listens until Close.
func New() *SendGrid {
	s := &SendGrid{}
	s.Server = httptest.NewServer(s)
	return s
}

// Reset begins to count anew.
func (s *SendGrid) Reset(latency time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency.Store(int64(latency))
	s.n.Store(0)
	s.first, s.last = time.Time{}, time.Time{}
}

// ServeHTTP implements http.Handler.
func (s *SendGrid) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	if s.n.Add(1) == 1 {
		s.mu.Lock()
		s.first = now
		s.mu.Unlock()
	}
	io.Copy(io.Discard, r.Body)
	time.Sleep(time.Duration(s.latency.Load()))
	w.Header().Set("X-Message-Id", strconv.FormatInt(s.n.Load(), 10))
	w.WriteHeader(http.StatusAccepted)
	s.mu.Lock()
	s.last = time.Now()
	s.mu.Unlock()
}

// Taken is how many mails came.
func (s *SendGrid) Taken() int64 { return s.n.Load() }

// Last is when the last of them was answered.
func (s *SendGrid) Last() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Rate is requests per second from the first one on.
func (s *SendGrid) Rate() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(s.n.Load()) / s.last.Sub(s.first).Seconds()
}
