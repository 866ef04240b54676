package console

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/internal/web"
	"github.com/levenlabs/postmaster/pkg/heartbeat"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

const (
	// sampleEvery is how often okq is asked how it stands, however many people look.
	sampleEvery = 2 * time.Second
	askTimeout  = 5 * time.Second
	// maxQueues is how many queues are kept an eye on. postmaster has five.
	maxQueues = 50
	// maxUnknown is as far as unknown outcomes are counted.
	maxUnknown = 1000
)

// A watch samples the queues and keeps an hour of it.
type watch struct {
	deps Deps
	now  func() time.Time
	feed *web.Feed

	mu      sync.Mutex // protects the fields below
	queues  map[string]*history
	paused  map[string]bool
	beats   []heartbeat.Beat
	unknown int
	at      time.Time // of the latest sample
	fault   error     // why there is none since
	store   error     // why unknown outcomes are not counted

	dropping *job.Dropping // of a pm-hooks; nil when none says so
}

func newWatch(deps Deps, now func() time.Time) *watch {
	return &watch{deps: deps, now: now, feed: web.NewFeed(), queues: map[string]*history{}}
}

// run samples until ctx ends.
func (w *watch) run(ctx context.Context) {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		w.sample(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sample takes one sample and tells the pages.
func (w *watch) sample(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	statuses, err := w.deps.Queue.Status(ctx)
	var traffic map[string]okq.Traffic
	if err == nil {
		traffic, err = w.deps.Queue.Traffic(ctx)
	}
	w.keep(statuses, traffic, err)
	w.keepDropping(ctx)
	w.keepStored(ctx)
	w.feed.Changed()
}

// keepDropping takes what pm-hooks says of the environments of its events.
func (w *watch) keepDropping(ctx context.Context) {
	found, ok, err := w.deps.Queue.Find(ctx, job.QueueHooks, job.DroppingID)
	var dropping *job.Dropping
	if err == nil && ok {
		dropping, err = job.DecodeDropping(found.Contents)
	}
	if err != nil || dropping != nil && !dropping.Fresh(w.now()) {
		dropping = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropping = dropping
}

// keepStored takes what the store knows.
func (w *watch) keepStored(ctx context.Context) {
	if w.deps.Records == nil {
		return
	}
	unknown, err := w.deps.Records.CountUnknown(ctx, maxUnknown)
	var beats []heartbeat.Beat
	if err == nil && w.deps.Beats != nil {
		beats, err = w.deps.Beats.Since(ctx, w.now().Add(-heartbeat.Fresh))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unknown, w.beats, w.store = unknown, beats, err
}

func (w *watch) keep(statuses []okq.QueueStatus, traffic map[string]okq.Traffic, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = err
	if err != nil {
		return
	}
	w.at = w.now()
	seen := map[string]okq.QueueStatus{}
	for _, name := range ownQueues {
		seen[name] = okq.QueueStatus{Queue: name} // okq does not name the empty ones
	}
	w.paused = map[string]bool{}
	for _, s := range statuses {
		if q, ok := job.PausedBy(s.Queue); ok {
			w.paused[q] = s.Total > 0
			continue
		}
		if !job.HoldsWork(s.Queue) {
			continue
		}
		seen[s.Queue] = s
	}
	for name := range w.queues {
		if _, ok := seen[name]; !ok {
			seen[name] = okq.QueueStatus{Queue: name}
		}
	}
	for name, s := range seen {
		h := w.queues[name]
		if h == nil {
			if len(w.queues) >= maxQueues {
				continue
			}
			h = &history{}
			w.queues[name] = h
		}
		counted, ok := traffic[name]
		h.add(s, counted, ok || traffic != nil, w.at)
	}
}

// ownQueues are always shown, and first.
var ownQueues = []string{job.QueueEmailHigh, job.QueueEmailNormal, job.QueueStats, job.QueueEmailDead, job.QueueStatsDead}

// A standing is how everything stands.
type standing struct {
	Queues  []queueView
	Beats   []beatView
	Unknown int
	At      time.Time
	Fault   error
	Store   error

	Dropping *job.Dropping // webhook events arrive, and pm-hooks drops each
}

// look answers how everything stands, as of the latest sample.
func (w *watch) look() standing {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := standing{Unknown: w.unknown, At: w.at, Fault: w.fault, Store: w.store, Dropping: w.dropping}
	for name, h := range w.queues {
		v := h.view(name, w.now())
		v.Paused = w.paused[name]
		s.Queues = append(s.Queues, v)
	}
	for _, b := range w.beats {
		s.Beats = append(s.Beats, newBeatView(b, w.now()))
	}
	place := func(name string) int {
		if i := slices.Index(ownQueues, name); i >= 0 {
			return i
		}
		return len(ownQueues)
	}
	slices.SortFunc(s.Queues, func(a, b queueView) int {
		if d := place(a.Name) - place(b.Name); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	return s
}
