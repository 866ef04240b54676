package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

const (
	// lookAgain is how soon an email is looked at again that is due for a decision while evidence may still show.
	lookAgain = 2 * time.Second
	// lookEvery is how often the ways of webhook events are checked.
	lookEvery = time.Second
	// lookTimeout is how long okq and the store may take to answer together.
	lookTimeout = 3 * time.Second
	// maxGap is the longest time between two checks in which nothing is taken to have gone wrong. It is longer when the
	// process, the machine or its clock was stopped or set.
	maxGap = 5 * time.Second
	// retention is how long SendGrid repeats an event that nobody takes.
	retention = 24 * time.Hour
)

// evidence knows since when webhook events could arrive and be folded without a gap: --evidence-wait counts no other
// time. A worker counts from its own start, for it cannot know what was before. Times are of the wall clock, which goes on
// while a machine is suspended and is what the ledger has.
type evidence struct {
	queue *okq.Client
	store stats.Store
	lease time.Duration
	log   zerolog.Logger
	m     *metrics

	looking sync.Mutex // held during a check

	mu     sync.Mutex // protects the fields below
	looked time.Time  // when the latest check began
	since  time.Time  // okq and the store have answered each check since then; zero: not the latest
	hooks  time.Time  // a pm-hooks was there, or none has ever been, in each check since then; zero: not in the latest
	folded time.Time  // what was queued before then is folded
	ready  []readyLook
	told   string // what the log was told is wrong
}

// A readyLook is a check at which all events queued before oldest were folded or leased.
type readyLook struct{ at, oldest time.Time }

func newEvidence(deps Deps, lease time.Duration, log zerolog.Logger, m *metrics) *evidence {
	return &evidence{queue: deps.Queue, store: deps.Stats, lease: lease, log: log, m: m}
}

// watch checks until ctx ends.
func (e *evidence) watch(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		e.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look makes one check.
func (e *evidence) look(ctx context.Context) {
	e.looking.Lock()
	defer e.looking.Unlock()
	began := wall()
	queues, err := e.ask(ctx)
	if ctx.Err() == nil {
		e.note(began, queues, err)
	}
}

// ask asks okq for the state of the webhook events' queue and of pm-hooks' own, and the store for anything.
func (e *evidence) ask(ctx context.Context) ([]okq.QueueStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	queues, err := e.queue.Status(ctx, job.QueueStats, job.QueueHooks)
	if err != nil {
		return nil, err
	}
	if len(queues) != 2 {
		return nil, fmt.Errorf("okq told the status of %d queues, not 2", len(queues))
	}
	_, err = e.store.Lookup(ctx, []job.ID{nobody})
	return queues, err
}

var errNoHooks = errors.New("no pm-hooks is connected to okq")

// note takes in what a check found that began at a time.
func (e *evidence) note(began time.Time, queues []okq.QueueStatus, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := wall()
	if e.gapLocked(now) {
		e.since, e.hooks, e.ready = time.Time{}, time.Time{}, nil
	}
	e.looked = now
	if err != nil {
		e.since, e.hooks, e.ready = time.Time{}, time.Time{}, nil
		e.tellLocked(err)
		return
	}
	if e.since.IsZero() {
		e.since = now
	}
	e.foldLocked(began, queues[0])
	hooks := queues[1]
	switch {
	case hooks.Total > 0 && hooks.Consumers == 0:
		e.hooks, err = time.Time{}, errNoHooks
	case e.hooks.IsZero():
		e.hooks = now
	}
	e.tellLocked(err)
}

func (e *evidence) gapLocked(now time.Time) bool {
	gap := now.Sub(e.looked)
	return gap > maxGap || gap < 0
}

// foldLocked moves folded on. An event that is not among the ready ones is folded or leased, and after a lease it is
// folded or ready again.
func (e *evidence) foldLocked(began time.Time, q okq.QueueStatus) {
	if q.Total == q.Delayed {
		e.folded, e.ready = began, nil
		return
	}
	e.ready = append(e.ready, readyLook{began, began.Add(-q.OldestAge)})
	for len(e.ready) > 0 && began.Sub(e.ready[0].at) > e.lease {
		if e.ready[0].oldest.After(e.folded) {
			e.folded = e.ready[0].oldest
		}
		e.ready = e.ready[1:]
	}
}

// tellLocked logs when events cannot arrive any more, and when they can again.
func (e *evidence) tellLocked(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if (text == "") == (e.told == "") {
		return
	}
	e.told = text
	if err != nil {
		e.m.evidence.Set(0)
		e.log.Warn().Err(err).Msg("webhook events cannot arrive, emails of unknown outcome wait")
		return
	}
	e.m.evidence.Set(1)
	e.log.Info().Msg("webhook events can arrive again")
}

// left is how much longer an attempt's outcome may yet show, when wait is how long that takes at most while all is well.
func (e *evidence) left(attempted time.Time, wait time.Duration) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := wall()
	start, well := later(attempted, e.since), !e.since.IsZero() && !e.gapLocked(now)
	if now.Sub(attempted) < retention+wait { // else SendGrid has given up: without pm-hooks too there is nothing to wait for
		start, well = later(start, e.hooks), well && !e.hooks.IsZero()
	}
	switch end := start.Add(wait); {
	case !well:
		return max(wait, lookAgain)
	case now.Before(end):
		return end.Sub(now)
	case e.folded.Before(end):
		return lookAgain
	}
	return 0
}

func wall() time.Time { return time.Now().Round(0) }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
