package connlimit

import (
	"sync"
	"time"
)

const (
	firstDelay = 100 * time.Millisecond
	maxDelay   = 2 * time.Second
	// forgetAfter is when a peer's wrong tries no longer count.
	forgetAfter = time.Minute
	// maxRemembered bounds the peers that are remembered.
	maxRemembered = 4096
)

// tries remembers how many wrong credentials each peer gave lately.
type tries struct {
	mu    sync.Mutex // protects peers
	peers map[string]strikes
}

type strikes struct {
	n    int
	last time.Time
}

// delay counts one and returns how long its answer takes.
func (t *tries) delay(peer string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.peers[peer]
	if now.Sub(s.last) > forgetAfter {
		s.n = 0
	}
	s.n, s.last = s.n+1, now
	if t.peers == nil || len(t.peers) >= maxRemembered {
		t.peers = map[string]strikes{} // forgetting costs only delays
	}
	t.peers[peer] = s
	if s.n > 5 {
		return maxDelay
	}
	return min(firstDelay<<(s.n-1), maxDelay)
}
