package main

import (
	"context"
	"sync"
	"time"
)

// A watch counts the time in which this program itself ran. A machine that was put to sleep, or a run that was stopped
// and continued, is no fault of the system's, and does not count for how long it took to recover.
type watch struct {
	mu   sync.Mutex // protects the fields below
	ran  time.Duration
	lost time.Duration
}

const (
	tick    = 50 * time.Millisecond
	tooLong = 3 * time.Second // between two ticks, even on a machine that is busy
)

func (w *watch) run(ctx context.Context) {
	for last := time.Now(); ctx.Err() == nil; {
		sleep(ctx, tick)
		now := time.Now()
		w.mu.Lock()
		if gap := now.Sub(last); gap > tooLong {
			w.lost += gap
		} else {
			w.ran += gap
		}
		w.mu.Unlock()
		last = now
	}
}

// now is the time run so far.
func (w *watch) now() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ran
}

func (w *watch) stopped() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}
