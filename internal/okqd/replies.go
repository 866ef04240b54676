package okqd

import (
	"context"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// replies bounds the memory of large replies that clients have not taken yet. While it is used up, no further contents
// are read, and connections whose clients have been taking their replies for long are closed. Their events come back
// when their leases end.
type replies struct {
	max int64

	mu      sync.Mutex // protects the fields below
	used    int64
	waiting int                 // calls of reserve that wait for changed
	changed chan struct{}       // closed and replaced when used falls while calls wait
	slow    map[*conn]time.Time // since when each has been flushing a reply that counts
}

const (
	// patience is how long a client may take for a reply while others wait for memory.
	patience = time.Second
	// repliesTimeout is how long a reply waits for memory.
	repliesTimeout = 10 * time.Second
)

func newReplies(maxBytes int64) *replies {
	return &replies{max: maxBytes, changed: make(chan struct{}), slow: make(map[*conn]time.Time)}
}

// reserve waits for memory for a reply and returns how much it took.
func (r *replies) reserve(ctx context.Context, size int64) (int64, error) {
	size = min(size, r.max)
	for deadline := time.Now().Add(repliesTimeout); ; {
		r.mu.Lock()
		if r.used+size <= r.max {
			r.used += size
			r.mu.Unlock()
			return size, nil
		}
		wait := r.evictLocked(time.Now())
		changed := r.changed
		r.waiting++
		r.mu.Unlock()
		err := waitChange(ctx, changed, wait)
		r.mu.Lock()
		r.waiting--
		r.mu.Unlock()
		if err != nil {
			return 0, err
		}
		if !time.Now().Before(deadline) {
			return 0, engine.ErrNoRoom
		}
	}
}

// take counts a reply that is there already.
func (r *replies) take(size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used += size
}

// evictLocked closes the connections that have been slow for patience, and returns when to look again.
func (r *replies) evictLocked(now time.Time) time.Duration {
	wait := patience
	for c, since := range r.slow {
		left := patience - now.Sub(since)
		if left > 0 {
			wait = min(wait, left)
			continue
		}
		delete(r.slow, c)
		c.kill()
	}
	return wait
}

// flushing notes that a connection began to write its reply, until the function that it returns is called.
func (r *replies) flushing(c *conn) (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slow[c] = time.Now()
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.slow, c)
	}
}

// release gives back the memory of a reply that was written.
func (r *replies) release(size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= size
	if r.waiting > 0 {
		close(r.changed)
		r.changed = make(chan struct{})
	}
}

// waitChange waits for changed, for d at most.
func waitChange(ctx context.Context, changed <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
