package worker

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// storeTimeout is how long one call to a store may take.
const storeTimeout = 10 * time.Second

// stored makes a call to a store, again and again until it succeeds, its error is about a document, or ctx ends. Any
// other error is held against the store: a quota or a full disk ends, and whoever gave emails up over it would give up
// all of them. Meanwhile the gate is shut: nothing is popped, and nothing popped moves past its next look at the store.
func (w *Worker) stored(ctx context.Context, what string, call func(context.Context) error) error {
	var o *outage
	defer func() { w.gate.endOutage(o) }()
	for failures := 1; ; failures++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		start := time.Now()
		err := bounded(ctx, call)
		w.m.storeSeconds.WithLabelValues(what).Observe(time.Since(start).Seconds())
		if err == nil || database.AboutDocument(err) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx) // that is why it failed
		}
		o = w.gate.failed(o, what, err)
		if !pause(ctx, failures) {
			return context.Cause(ctx)
		}
	}
}

func bounded(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return call(ctx)
}

// maxPause is also about how long a store may answer again before the worker goes on.
const maxPause = 5 * time.Second

// pause waits longer after each failure, maxPause at most, with jitter. It returns false if ctx ended first.
func pause(ctx context.Context, failures int) bool {
	d := min(50*time.Millisecond<<min(failures-1, 10), maxPause)
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// writeAttempts and writeSettlements are what the groups do.
func (w *Worker) writeAttempts(ctx context.Context, attempts []stats.Attempt) (won []bool, err error) {
	err = w.stored(ctx, "begin", func(ctx context.Context) (err error) {
		won, err = w.deps.Stats.Begin(ctx, attempts)
		return err
	})
	return won, err
}

// readRecords is what the group of unrecorded does.
func (w *Worker) readRecords(ctx context.Context, ids []job.ID) ([]*stats.Record, error) {
	list := make([]*stats.Record, len(ids))
	err := w.stored(ctx, "lookup", func(ctx context.Context) error {
		records, err := w.deps.Stats.Lookup(ctx, ids)
		for i, id := range ids {
			list[i] = records[id]
		}
		return err
	})
	return list, err
}

func (w *Worker) writeSettlements(ctx context.Context, settlements []stats.Settlement) ([]struct{}, error) {
	err := w.stored(ctx, "settle", func(ctx context.Context) error {
		return w.deps.Stats.Settle(ctx, settlements)
	})
	return make([]struct{}, len(settlements)), err
}

// complain logs an error that no retry will mend. That the process is being stopped, or a lease was lost, is none.
func (w *Worker) complain(ctx context.Context, err error, what string) {
	if ctx.Err() == nil {
		w.log.Error().Err(err).Msg("cannot " + what)
	}
}

// about has a line of the log say which mail it is about. The recipient is for debugging only.
func (w *Worker) about(m *mail, line *zerolog.Event) *zerolog.Event {
	line.Str("job_id", string(m.id())).Str("queue", m.Queue)
	if m.email != nil && w.log.GetLevel() <= zerolog.DebugLevel {
		line.Str("recipient", m.email.To)
	}
	return line
}

// tokens are names of attempts that no other process gives.
type tokens struct {
	process string
	n       *atomic.Uint64
}

func newTokens() tokens { return tokens{string(job.NewID()), new(atomic.Uint64)} }

func (t tokens) next() string { return t.process + "-" + strconv.FormatUint(t.n.Add(1), 36) }
