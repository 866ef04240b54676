package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/levenlabs/postmaster/internal/sendcontrol"
	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func newTestGate() *gate { return newStoreless().gate }

// newStoreless is a worker that only makes calls to stores.
func newStoreless() *Worker {
	m := newMetrics(prometheus.NewRegistry())
	control := sendcontrol.New(sendcontrol.Options{Concurrency: 1, Log: zerolog.Nop(), Open: m.breaker, Pauses: m.pauses})
	return &Worker{log: zerolog.Nop(), m: m, control: control, gate: newGate(zerolog.Nop(), m, control)}
}

// A caller may be stopped at any point between two tries. A gate that stayed shut then would never open again.
func TestCallsThatAreInterruptedLeaveTheGateOpen(t *testing.T) {
	t.Parallel()
	away := func(context.Context) error { return stats.ErrUnavailable }
	synctest.Test(t, func(t *testing.T) {
		w := newStoreless()
		for look := range 2000 { // the context is found to have ended at that look, whatever came before
			ctx := &endsAtLook{Context: t.Context(), left: look % 20}
			if err := w.stored(ctx, "settle", away); errors.Is(err, stats.ErrUnavailable) {
				t.Fatalf("stored = %v", err)
			}
			if n := len(w.gate.outages); n != 0 {
				t.Fatalf("after look %d: %d outages are left", look%20, n)
			}
		}
	})
	w := newStoreless()
	var wg sync.WaitGroup
	for range 3000 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), rand.N(120*time.Millisecond))
			defer cancel()
			w.stored(ctx, "settle", away) //nolint:errcheck // that it leaves nothing behind is all
		})
	}
	wg.Wait()
	if err := w.gate.waitStore(t.Context()); err != nil || len(w.gate.outages) != 0 {
		t.Errorf("%d outages are left, %v", len(w.gate.outages), err)
	}
	if n := testutil.ToFloat64(w.m.storeAway); n != 0 {
		t.Errorf("pm_worker_store_unavailable is %v", n)
	}
}

// endsAtLook is a context that is found to have ended when it is asked for the n-th time.
type endsAtLook struct {
	context.Context
	mu   sync.Mutex // protects left
	left int
}

func (c *endsAtLook) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestAnOutageThatNobodyEndsIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newTestGate()
		o := g.failed(nil, "settle", stats.ErrUnavailable)
		for range 100 { // as long as it is tried again
			time.Sleep(maxPause + storeTimeout)
			g.failed(o, "settle", stats.ErrUnavailable)
			if err := g.ready(); !errors.Is(err, stats.ErrUnavailable) || g.stuck() != 0 {
				t.Fatalf("ready = %v, stuck = %v", err, g.stuck())
			}
		}
		time.Sleep(stuckAfter + time.Second)
		if err := g.ready(); !errors.Is(err, errStuck) || g.stuck() != 1 {
			t.Errorf("ready = %v, stuck = %v, want what says so", err, g.stuck())
		}
		g.endOutage(o)
		if err := g.ready(); err != nil || g.stuck() != 0 {
			t.Errorf("ready = %v, stuck = %v after its end", err, g.stuck())
		}
	})
}

// Whatever a store says that is not about one document holds the backlog: it costs no delivery and no attempt.
func TestUnknownErrorsOfAStoreHoldEverything(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"quota":         mongo.CommandError{Code: 8000, Message: "you are over your space quota"},
		"host":          mongo.CommandError{Code: 112, Message: "WriteConflict"},
		"unauthorized":  mongo.CommandError{Code: 13, Message: "not authorized"},
		"16500":         mongo.CommandError{Code: 16500, Message: "TooManyRequests"},
		"disk":          mongo.CommandError{Code: 14031, Message: "OutOfDiskSpace"},
		"bulk quota":    mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{{WriteError: mongo.WriteError{Code: 8000}}}},
		"never seen":    errors.New("something new"),
		"some canceled": fmt.Errorf("commit: %w", context.Canceled),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(r *rig) { r.cfg.MaxAttempts = 1 })
			r.start()
			first := r.mail("first@example.com")
			r.enqueue(first)
			r.ends(first, stats.Accepted)
			r.store.fail(err)
			mails := r.mails(100, "a@example.com")
			r.enqueue(mails...)
			r.eventually("the worker is unready", func() bool { return r.worker.Ready(t.Context()) != nil })
			if says := r.worker.Ready(t.Context()).Error(); !strings.Contains(says, err.Error()) {
				t.Errorf("ready says %q", says)
			}
			if n := r.total(job.QueueEmailNormal); n != len(mails) {
				t.Errorf("%d jobs are left, want %d", n, len(mails))
			}
			r.store.fail(nil)
			for _, e := range mails {
				r.ends(e, stats.Accepted)
				r.accepted(e, 1)
			}
			if n := r.total(job.QueueEmailDead); n != 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

// An error about one document is that email's alone: it comes again with growing pauses, and the others go.
func TestAnErrorAboutADocumentHoldsOnlyItsEmail(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	odd, mails := r.mail("odd@example.com"), r.mails(50, "a@example.com")
	r.store.failOn(odd.ID, mongo.CommandError{Code: 2, Message: "BadValue"})
	r.enqueue(append(mails, odd)...)
	r.wearOutAll(job.QueueEmailNormal, 1) // so that it is read before it is written
	r.cfg.MaxDeliveries = 12
	r.start()
	for _, e := range mails {
		r.ends2(e, stats.Accepted)
		r.accepted(e, 1)
	}
	r.accepted(odd, 0)
	r.store.failOn(odd.ID, nil)
	r.ends(odd, stats.Accepted)
	if calls := r.store.oddCalls.Load(); calls > 20 {
		t.Errorf("%d calls to the store for one email: it comes again without a pause", calls)
	}
}

func TestErrorsAboutADocument(t *testing.T) {
	t.Parallel()
	write := func(codes ...int) error {
		var e mongo.BulkWriteException
		for _, c := range codes {
			e.WriteErrors = append(e.WriteErrors, mongo.BulkWriteError{WriteError: mongo.WriteError{Code: c}})
		}
		return e
	}
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("other"), false},
		{mongo.CommandError{Code: 10334}, true},
		{mongo.CommandError{Code: 8000}, false},
		{write(2), true},
		{write(2, 121), true},
		{write(2, 8000), false},
		{write(), false},
		{fmt.Errorf("stored evidence: %w", database.ErrDocument), true},
		{http.ErrServerClosed, false},
	} {
		if got := database.AboutDocument(tc.err); got != tc.want {
			t.Errorf("AboutDocument(%v) = %v, want %v", tc.err, got, tc.want)
		}
	}
}

// One kill -9 under --max-attempts 1 must not cost a job that was never tried its life.
func TestASmallMaxAttemptsLeavesUntriedJobsTheirDeliveries(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.cfg.MaxAttempts, r.cfg.MaxDeliveries = 1, 12 })
	mails := r.mails(20, "a@example.com")
	r.enqueue(mails...)
	r.wearOutAll(job.QueueEmailNormal, 2)
	r.start()
	for _, e := range mails {
		r.ends(e, stats.Accepted)
	}
	if n := r.total(job.QueueEmailDead); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}
