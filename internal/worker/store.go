package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// storeTimeout is how long one call to a store may take.
const storeTimeout = 10 * time.Second

// stored makes a call to a store, again and again while the store does not answer, until ctx ends. All that time the
// gate is closed: nothing is popped, and nothing in hand moves past its next look at the store.
func (w *Worker) stored(ctx context.Context, what string, call func(context.Context) error) error {
	for failures := 0; ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		start := time.Now()
		err := bounded(ctx, call)
		w.m.storeSeconds.WithLabelValues(what).Observe(time.Since(start).Seconds())
		if !unavailable(err) {
			if failures > 0 {
				w.gate.storeBack()
			}
			return err
		}
		if failures++; failures == 1 {
			w.gate.storeAway(what, err)
		}
		if !pause(ctx, failures) {
			w.gate.storeBack()
			return context.Cause(ctx)
		}
	}
}

func bounded(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return call(ctx)
}

func unavailable(err error) bool {
	return errors.Is(err, stats.ErrUnavailable) || errors.Is(err, prefs.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

// pause waits longer after each failure, 30 s at most, with jitter; it returns false when ctx ended first.
func pause(ctx context.Context, failures int) bool {
	d := min(50*time.Millisecond<<min(failures-1, 10), 30*time.Second)
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
