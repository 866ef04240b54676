package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// sendGrid takes every mail after a time. It reads bodies and checks nothing, to leave the CPU to what is measured.
type sendGrid struct {
	*httptest.Server
	latency atomic.Int64
	n       atomic.Int64

	mu          sync.Mutex // protects the fields below
	first, last time.Time
}

func newSendGrid() *sendGrid {
	s := &sendGrid{}
	s.Server = httptest.NewServer(s)
	return s
}

func (s *sendGrid) reset(latency time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency.Store(int64(latency))
	s.n.Store(0)
	s.first, s.last = time.Time{}, time.Time{}
}

func (s *sendGrid) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

// rate is requests per second from the first one on.
func (s *sendGrid) rate() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(s.n.Load()) / s.last.Sub(s.first).Seconds()
}
