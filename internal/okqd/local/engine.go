package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

// Engine is an engine.Engine on a directory of its own.
type Engine struct {
	log     zerolog.Logger
	journal *journal.Journal
	space   *space
	metrics *metrics
	clock   func() time.Time
	start   time.Time        // zero of the engine's clock
	machine func() time.Time // the machine's clock, which can be set
	slow    zerolog.Logger   // for what a slow disk would say all the time
	failure *failure
	writing atomic.Int64  // when the commit that is being written began, Unix nanoseconds; 0: none is
	kick    chan struct{} // 1 buffered: there is something to commit
	rearm   chan struct{} // 1 buffered: something is due earlier than the clock goroutine knows
	untidy  chan struct{} // 1 buffered: the log is longer than it need be

	queueSet string // "": none could be written

	mu      sync.Mutex // protects the fields below and all queues and events
	queues  map[string]*queue
	due     heap             // leased and delayed events
	nudges  map[*queue]int64 // queues that may need one more consumer woken, and when
	wakeAt  int64            // when the clock goroutine looks again
	ahead   int64            // the most that the machine's clock has been ahead of the engine's; see jumpLocked
	counter int64            // of pushes and of everything that made an event ready; see orderLocked
	live    int64            // bytes of the log that are needed, about
	filling *commit
	newest  *commit // the last commit that holds anything: filling, or the one before it
	durable int64   // number of the last commit that is on disk
	margin  margin
}

// Open reads the directory and makes it ready to serve. One process at a time can have it open.
func Open(cfg Config, log zerolog.Logger, reg prometheus.Registerer) (*Engine, error) {
	return open(cfg, log, reg, platform{fs: journal.OS{}, clock: time.Now, machine: time.Now, marginFloor: marginFloor})
}

// platform is what tests replace.
type platform struct {
	fs          journal.FS
	clock       func() time.Time // monotonic
	machine     func() time.Time
	marginFloor time.Duration
}

func open(cfg Config, log zerolog.Logger, reg prometheus.Registerer, on platform) (*Engine, error) {
	e := &Engine{
		log:     log,
		slow:    log.Sample(&zerolog.BurstSampler{Burst: 1, Period: 10 * time.Second}),
		metrics: newMetrics(reg),
		margin:  margin{floor: on.marginFloor, begun: -1},
		clock:   on.clock,
		start:   on.clock(),
		machine: on.machine,
		failure: newFailure(),
		kick:    make(chan struct{}, 1),
		rearm:   make(chan struct{}, 1),
		untidy:  make(chan struct{}, 1),
		filling: newCommit(1),
		queues:  make(map[string]*queue),
		nudges:  make(map[*queue]int64),
	}
	e.ahead = e.machine().UnixNano() - e.now()
	switch err := e.recover(cfg.Dir, on.fs); {
	case errors.Is(err, journal.ErrLocked):
		return nil, fmt.Errorf("--data-dir %s is %w", cfg.Dir, err)
	case err != nil:
		return nil, fmt.Errorf("--data-dir %s: %w", cfg.Dir, err)
	}
	e.openQueueSet(cfg.Dir, on.fs)
	e.space = newSpace(cfg, on)
	reg.MustRegister(disk{e.space}, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "okqd_commit_running_seconds", Help: "How long the commit that is being written has taken so far.",
	}, func() float64 { return e.commitRunning().Seconds() }))
	e.space.look()
	return e, nil
}

const (
	// stopTimeout is how long a stopping engine waits for the disk.
	stopTimeout = 15 * time.Second
	// unreadyAfter is how long a commit may take before the engine says that it is not ready.
	unreadyAfter = 10 * time.Second
)

// Run commits and watches the clock until ctx ends, then closes the directory. Nothing may call Exec after that. A disk
// that does not answer cannot keep it: then Run returns with the directory open, and the process must end.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { e.failure.set(errClosed) })
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- e.run(ctx, cancel) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(stopTimeout):
		return fmt.Errorf("disk does not answer: stopped after %v; all that was acknowledged is on it", stopTimeout)
	}
}

func (e *Engine) run(ctx context.Context, cancel func()) error {
	var wg sync.WaitGroup
	wg.Go(func() { e.runClock(ctx) })
	wg.Go(func() { e.runCleaner(ctx) })
	wg.Go(func() { e.journal.Run(ctx) })
	err := e.runCommitter(ctx)
	cancel()
	wg.Wait()
	return errors.Join(err, e.journal.Close())
}

// Ready implements engine.Engine.
func (e *Engine) Ready(context.Context) error {
	if closed(e.failure.happened) {
		return e.failure.err()
	}
	if since := e.commitRunning(); since >= unreadyAfter {
		return fmt.Errorf("disk does not answer: a commit has been running for %v", since.Round(time.Second))
	}
	return nil
}

// commitRunning is how long the commit that is being written has taken so far; 0: none is.
func (e *Engine) commitRunning() time.Duration {
	begun := e.writing.Load()
	if begun == 0 {
		return 0
	}
	return time.Since(time.Unix(0, begun))
}

// now is the engine's clock: monotonic, so that setting the machine's clock ends no lease.
func (e *Engine) now() int64 { return int64(e.clock().Sub(e.start)) }

// wall is the wall clock time, in milliseconds, of a time of the engine's clock.
func (e *Engine) wall(now, at int64) int64 {
	return e.machine().Add(time.Duration(at - now)).UnixMilli()
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
