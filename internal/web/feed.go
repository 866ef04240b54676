package web

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A Feed tells watchers that something changed. It never waits for one: a slow watcher sees many changes as one. The
// revision lets a page tell whether it is up to date, also after the process started anew.
type Feed struct {
	started int64

	mu       sync.Mutex // protects the fields below
	changes  int64
	watchers map[chan struct{}]bool
}

// NewFeed returns a Feed that nobody watches.
func NewFeed() *Feed {
	return &Feed{started: time.Now().UnixNano(), watchers: make(map[chan struct{}]bool)}
}

// Changed wakes the watchers.
func (f *Feed) Changed() {
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

// Revision names the state after the latest change.
func (f *Feed) Revision() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strconv.FormatInt(f.started, 36) + "-" + strconv.FormatInt(f.changes, 36)
}

// watch answers a channel that gets a value after changes, until stop.
func (f *Feed) watch() (changes <-chan struct{}, stop func()) {
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

// streamPause is the least time between two messages of a stream, however fast changes come.
const streamPause = 250 * time.Millisecond

// ServeHTTP sends the revision now and whenever it changed, as Server-Sent Events.
func (f *Feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	changes, stop := f.watch()
	defer stop()
	flusher := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "retry: 1000\n\n")
	for {
		fmt.Fprintf(w, "data: %s\n\n", f.Revision())
		if flusher.Flush() != nil {
			return
		}
		select {
		case <-changes:
		case <-r.Context().Done():
			return
		}
		select {
		case <-time.After(streamPause):
		case <-r.Context().Done():
			return
		}
	}
}
