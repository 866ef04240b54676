package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Engine is an engine.Engine on a directory of its own.
type Engine struct {
	log     zerolog.Logger
	db      *pebble.DB
	space   *space
	metrics *metrics
	clock   func() time.Time
	start   time.Time // zero of the engine's clock
	failure *failure
	kick    chan struct{} // 1 buffered: there is something to commit
	rearm   chan struct{} // 1 buffered: something is due earlier than the clock goroutine knows

	mu      sync.Mutex // protects the fields below and all queues and events
	queues  map[string]*queue
	due     heap             // leased and delayed events
	nudges  map[*queue]int64 // queues that may need one more consumer woken, and when
	wakeAt  int64            // when the clock goroutine looks again
	counter int64            // of pushes and of everything that made an event ready; see orderLocked
	live    int64            // bytes of contents
	filling *commit
	newest  *commit // the last commit that holds anything: filling, or the one before it
}

// Open reads the directory and makes it ready to serve. One process at a time can have it open.
func Open(cfg Config, log zerolog.Logger, reg prometheus.Registerer) (*Engine, error) {
	return open(cfg, log, reg, platform{fs: vfs.Default, clock: time.Now})
}

// platform is what tests replace.
type platform struct {
	fs    vfs.FS
	clock func() time.Time
}

func open(cfg Config, log zerolog.Logger, reg prometheus.Registerer, on platform) (*Engine, error) {
	e := &Engine{
		log:     log,
		metrics: newMetrics(reg),
		clock:   on.clock,
		start:   on.clock(),
		failure: newFailure(),
		kick:    make(chan struct{}, 1),
		rearm:   make(chan struct{}, 1),
		queues:  make(map[string]*queue),
		nudges:  make(map[*queue]int64),
	}
	lock, err := lockDir(cfg.Dir, on.fs)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the store has its own reference
	e.space = newSpace(cfg, log, on)
	reg.MustRegister(disk{e.space})
	db, err := openStore(cfg.Dir, on.fs, lock, log, e.failure)
	if err != nil {
		return nil, fmt.Errorf("--data-dir %s: %w", cfg.Dir, err)
	}
	e.db = db
	e.filling = newCommit(db)
	e.space.look()
	if err := e.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("--data-dir %s: %w", cfg.Dir, err), db.Close())
	}
	return e, nil
}

// Run commits and watches the clock until ctx ends, then closes the directory. Nothing may call Exec after that.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { e.failure.set(errClosed) })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { e.runClock(ctx) })
	wg.Go(func() { e.runReclaim(ctx) })
	committed := make(chan error, 1)
	wg.Go(func() { committed <- e.runCommitter(ctx) })
	select {
	case err := <-committed:
		cancel()
		wg.Wait()
		return errors.Join(err, e.db.Close())
	case <-e.failure.store:
		// The store's own goroutine is stuck in its last words, so closing it would not return. The process must end.
		return e.failure.err()
	}
}

// Ready implements engine.Engine.
func (e *Engine) Ready(context.Context) error {
	select {
	case <-e.failure.happened:
		return e.failure.err()
	default:
		return nil
	}
}

// now is the engine's clock: monotonic, so that setting the machine's clock ends no lease.
func (e *Engine) now() int64 { return int64(e.clock().Sub(e.start)) }

// wall is the wall clock time, in milliseconds, of a time of the engine's clock.
func (e *Engine) wall(now, at int64) int64 {
	return e.clock().Add(time.Duration(at - now)).UnixMilli()
}

// orderLocked returns the place of an event that becomes ready now: in each queue, pops go by ascending order.
func (e *Engine) orderLocked(front bool) int64 {
	e.counter++
	if front {
		return -e.counter
	}
	return e.counter
}

// queueLocked returns the queue, made if need be; releaseLocked drops it again once nothing is in it.
func (e *Engine) queueLocked(name []byte) *queue {
	q := e.queues[string(name)]
	if q == nil {
		q = newQueue(string(name))
		e.queues[q.name] = q
	}
	return q
}

func (e *Engine) releaseLocked(q *queue) {
	if q.idle() {
		delete(e.queues, q.name)
		delete(e.nudges, q)
	}
}
