package sandbox

import "sync"

// feed tells watchers that something changed. It never waits for one: a slow
// watcher sees many changes as one.
type feed struct {
	mu       sync.Mutex // protects watchers
	watchers map[chan struct{}]bool
}

func newFeed() *feed { return &feed{watchers: make(map[chan struct{}]bool)} }

func (f *feed) changed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
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
