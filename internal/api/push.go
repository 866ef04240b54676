package api

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

const (
	pushTimeout = 3 * time.Second        // for all tries of a push, beside what its size takes
	pushPause   = 100 * time.Millisecond // before the second; twice as long before each one after it
	pushTries   = 4

	largePush   = 256 << 10 // bytes of a mail that goes to okq by Deps.Large
	findsAtOnce = 4         // looks for emails in okq, whose size is not known before
	largeAtOnce = 2         // of those, since more would only share the same disk, and all be late
	pushRate    = 1 << 20   // bytes per second that a push may take for its size
)

// push pushes the mail as the bytes it came in. It tries again for a while, with the same ID: that the event is there
// already means that an earlier try had arrived.
func (s *Server) push(ctx context.Context, t ticket, id job.ID, raw []byte) error {
	q, done, err := s.queueFor(ctx, len(raw))
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, pushTimeout+time.Duration(len(raw)/pushRate)*time.Second)
	defer cancel()
	event := okq.Event{Queue: t.queue, ID: string(id), Contents: withID(raw, id, t.trace)}
	pause := pushPause
	for try := 1; ; try++ {
		err := pushDelayed(ctx, q, event, job.Early(t.sendAt, time.Now()))
		if err == nil || errors.Is(err, okq.ErrDuplicate) {
			return nil
		}
		if try == pushTries || !errors.Is(err, okq.ErrUnavailable) && !errors.Is(err, okq.ErrBusy) {
			return err
		}
		select {
		case <-time.After(pause + rand.N(pause)):
		case <-ctx.Done():
			return err
		}
		pause *= 2
	}
}

// queueFor returns the way to okq for a mail of that size, and what to call when it has been pushed.
func (s *Server) queueFor(ctx context.Context, size int) (Queue, func(), error) {
	if size < largePush {
		return s.deps.Queue, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.bodies.wait)
	defer cancel()
	if err := s.largePushes.Acquire(ctx, 1); err != nil {
		return nil, nil, errBusy
	}
	return s.deps.Large, func() { s.largePushes.Release(1) }, nil
}

// pushDelayed pushes an event that appears after delay. An okq without delays gets it at once: pm-worker looks at
// sendAt too.
func pushDelayed(ctx context.Context, q Queue, event okq.Event, delay time.Duration) error {
	if delay > 0 {
		if err := q.Push(ctx, event, okq.Delay(delay)); !errors.Is(err, okq.ErrNoDelay) {
			return err
		}
	}
	return q.Push(ctx, event)
}
