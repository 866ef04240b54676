package okq

import (
	"context"
	"sync"
	"time"
)

// slots bound the unfinished deliveries. Only one goroutine acquires.
type slots struct {
	total int
	freed chan struct{} // holds one token when some were freed

	mu   sync.Mutex // protects free
	free int
}

func newSlots(n int) *slots { return &slots{total: n, free: n, freed: make(chan struct{}, 1)} }

// acquire waits for a free slot and takes up to want, none only when ctx ended. When most are taken it waits a little,
// for linger at most, for more to become free: they do so one by one, and popping one by one is dear.
func (s *slots) acquire(ctx context.Context, want int, linger time.Duration) int {
	for s.available() == 0 {
		if !s.wait(ctx, nil) {
			return 0
		}
	}
	enough := min(want, s.total/4)
	if linger > 0 && s.available() < enough {
		timer := time.NewTimer(linger)
		defer timer.Stop()
		for s.available() < enough && s.wait(ctx, timer.C) {
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(want, s.free)
	s.free -= n
	return n
}

// wait returns true when some were freed, false when ctx or the time ended.
func (s *slots) wait(ctx context.Context, timeout <-chan time.Time) bool {
	select {
	case <-s.freed:
		return true
	case <-timeout:
	case <-ctx.Done():
	}
	return false
}

func (s *slots) available() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free
}

// take takes n whether they are free or not.
func (s *slots) take(n int) { s.add(-n) }

func (s *slots) release(n int) {
	s.add(n)
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

func (s *slots) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
}
