package okqd

import (
	"context"
	"errors"
	"sync"
	"time"
)

// replies bounds the memory of replies that clients have not taken yet. While it is used up, no further command with
// contents in its reply begins, and the connection whose client has been taking its reply for longest is closed.
// Its events come back when their leases end.
type replies struct {
	max int64

	mu      sync.Mutex // protects the fields below
	used    int64
	waiting int                 // calls of reserve that wait for changed
	changed chan struct{}       // closed and replaced when used falls while calls wait
	slow    map[*conn]time.Time // since when each has been flushing a reply that counts
	largest int64               // what one reply may take, learned from events seen; see expectLocked
}

const (
	// patience is how long a client may take for a reply while others wait for memory.
	patience = time.Second
	// repliesTimeout is how long a command waits for memory.
	repliesTimeout = 5 * time.Second
)

var errReplies = errors.New("no memory for a reply")

func newReplies(maxBytes int64) *replies {
	return &replies{max: maxBytes, changed: make(chan struct{}), slow: make(map[*conn]time.Time)}
}

// reserve waits for memory for a reply whose size is not known yet, and returns how much it took.
func (r *replies) reserve(ctx context.Context) (int64, error) {
	deadline := time.Now().Add(repliesTimeout)
	for {
		r.mu.Lock()
		want := r.expectLocked()
		if r.used == 0 || r.used+want <= r.max {
			r.used += want
			r.mu.Unlock()
			return want, nil
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
			return 0, errReplies
		}
	}
}

// expectLocked is what a reply is likely to take at most.
func (r *replies) expectLocked() int64 { return min(max(r.largest, freeSize), r.max) }

// evictLocked closes the slowest connection if it has been slow for patience, and returns when to look again.
func (r *replies) evictLocked(now time.Time) time.Duration {
	var slowest *conn
	var since time.Time
	for c, t := range r.slow {
		if slowest == nil || t.Before(since) {
			slowest, since = c, t
		}
	}
	if slowest == nil {
		return patience
	}
	if left := patience - now.Sub(since); left > 0 {
		return left
	}
	delete(r.slow, slowest)
	slowest.kill()
	return patience
}

// adjust replaces what reserve took by the true size of the reply, and learns from it.
func (r *replies) adjust(reserved, size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used += size - reserved
	r.largest = max(size, r.largest-r.largest/64)
	if size < reserved {
		r.wakeLocked()
	}
}

// expect tells that replies may be as large as an event that was pushed.
func (r *replies) expect(size int) {
	if size <= freeSize {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.largest = max(r.largest, int64(size))
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
	r.wakeLocked()
}

func (r *replies) wakeLocked() {
	if r.waiting == 0 {
		return
	}
	close(r.changed)
	r.changed = make(chan struct{})
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
