package redis

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// hurryFor is how long those wait for Redis who only look: a monitor that is told nothing for long sees no outage.
const hurryFor = 900 * time.Millisecond

// hurry runs f, but no longer than hurryFor. After that f goes on by itself until Redis answers or its connection is
// given up, so it must not touch what its caller has.
func (e *Engine) hurry(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, hurryFor)
	defer cancel()
	done := make(chan error, 1)
	e.hurried.Go(func() { done <- f(ctx) })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("redis does not answer: %w", ctx.Err())
	}
}

// status carries out Status ops.
func (e *Engine) status(ctx context.Context, ops []engine.Op) {
	own := make([]engine.Op, len(ops))
	for i, op := range ops {
		own[i] = engine.Op{Kind: engine.Status}
		for _, q := range op.Queues {
			own[i].Queues = append(own[i].Queues, slices.Clone(q))
		}
	}
	err := e.hurry(ctx, func(ctx context.Context) error {
		e.execStage(ctx, own, 0, new(leases))
		return nil
	})
	for i := range ops {
		if err == nil {
			ops[i].Result = own[i].Result
		} else {
			ops[i].Err = err
		}
	}
}

// looksOnly tells whether ops change nothing and may fail fast.
func looksOnly(ops []engine.Op) bool {
	return !slices.ContainsFunc(ops, func(op engine.Op) bool { return op.Kind != engine.Status && op.Kind != engine.None })
}
