package okq

import (
	"context"
	"sync"
	"time"
)

// slots bound the unfinished deliveries. Only one goroutine acquires.
type slots struct {
	total int
	limit func() int    // how many of total to use now; nil: all. One at least
	freed chan struct{} // holds one token when some were freed

	mu   sync.Mutex // protects free
	free int
}

func newSlots(n int, limit func() int) *slots {
	return &slots{total: n, limit: limit, free: n, freed: make(chan struct{}, 1)}
}

// acquire waits for a free slot and takes up to want, none only when ctx ended. When most are taken it waits a little,
// for linger at most, for more to become free: they do so one by one, and popping one by one is dear.
func (s *slots) acquire(ctx context.Context, want int, linger time.Duration) int {
	for s.available() == 0 {
		if !s.wait(ctx, nil) {
			return 0
		}
	}
	enough := min(want, s.size()/4)
	if linger > 0 && s.available() < enough {
		timer := time.NewTimer(linger)
		defer timer.Stop()
		for s.available() < enough && s.wait(ctx, timer.C) {
		}
	}
	n := min(want, max(s.available(), 1)) // one is free, whatever has become of the limit
	s.add(-n)
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

// available is how many may be taken now.
func (s *slots) available() int {
	size := s.size()
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.free-(s.total-size), 0)
}

// size is how many there are now, free or not.
func (s *slots) size() int {
	if s.limit == nil {
		return s.total
	}
	return min(max(s.limit(), 1), s.total)
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
