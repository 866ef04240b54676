package sandbox

import (
	"strconv"
	"sync"
	"time"
)

// feed tells watchers that something changed. It never waits for one: a slow
// watcher sees many changes as one. The revision lets a page tell whether it
// is up to date, also after the sandbox started anew.
type feed struct {
	started int64

	mu       sync.Mutex // protects the fields below
	changes  int64
	watchers map[chan struct{}]bool
}

func newFeed() *feed {
	return &feed{started: time.Now().UnixNano(), watchers: make(map[chan struct{}]bool)}
}

func (f *feed) changed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes++
	for w := range f.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (f *feed) revision() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strconv.FormatInt(f.started, 36) + "-" + strconv.FormatInt(f.changes, 36)
}

// watch answers a channel that gets a value after changes, until stop.
func (f *feed) watch() (changes <-chan struct{}, stop func()) {
	w := make(chan struct{}, 1)
	f.mu.Lock()
	f.watchers[w] = true
	f.mu.Unlock()
	return w, func() {
		f.mu.Lock()
		delete(f.watchers, w)
		f.mu.Unlock()
	}
}
