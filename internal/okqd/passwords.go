package okqd

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// wrongPasswords slows down peers that guess. A peer that has sent many wrong passwords lately waits for each further
// try, right or wrong, whatever connection it comes on.
type wrongPasswords struct {
	mu     sync.Mutex // protects byPeer
	byPeer map[netip.Addr]*rate.Limiter
}

const (
	// wrongBurst wrong passwords cost a peer nothing, then it may send wrongRate a second.
	wrongBurst = 20
	wrongRate  = 2
	// longestWait bounds the wait, since honest clients may share the peer's address.
	longestWait = time.Second
	// maxGuessers bounds the memory. Beyond it all is forgotten.
	maxGuessers = 10_000
)

// wait returns when the peer may have a password checked, or ctx ended.
func (w *wrongPasswords) wait(ctx context.Context, peer netip.Addr) {
	w.mu.Lock()
	limiter := w.byPeer[peer]
	w.mu.Unlock()
	if limiter != nil && limiter.Tokens() < 1 {
		pause(ctx, longestWait)
	}
}

// count notes one wrong password.
func (w *wrongPasswords) count(peer netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byPeer == nil || len(w.byPeer) >= maxGuessers {
		w.byPeer = make(map[netip.Addr]*rate.Limiter)
	}
	if w.byPeer[peer] == nil {
		w.byPeer[peer] = rate.NewLimiter(wrongRate, wrongBurst)
	}
	w.byPeer[peer].Allow()
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
