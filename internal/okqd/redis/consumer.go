package redis

import (
	"context"
	"fmt"
	"slices"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// consumer implements engine.Consumer.
type consumer struct {
	e      *Engine
	name   string // unique among all okqd
	queues []string
	next   int // where to look first, so that no queue starves behind a busy one
}

// NewConsumer implements engine.Engine.
func (e *Engine) NewConsumer() engine.Consumer { return &consumer{e: e, name: e.wakes.newName()} }

func (c *consumer) Register(ctx context.Context, names []string) error {
	var queues []string
	for _, name := range names {
		if !slices.Contains(queues, name) {
			queues = append(queues, name)
		}
	}
	var calls []call
	for _, q := range c.queues {
		if !slices.Contains(queues, q) {
			calls = append(calls, call{q, []string{wakeChannel, q, "leave", c.name}})
		}
	}
	for _, q := range queues {
		calls = append(calls, joinCall(q, c.name))
	}
	c.e.wakes.registered(c.name, queues)
	c.queues, c.next = queues, 0
	return c.e.do(ctx, calls)
}

func joinCall(queue, name string) call {
	return call{queue, []string{wakeChannel, queue, "join", name, millis(countsFor)}}
}

// do makes calls whose results nobody needs.
func (e *Engine) do(ctx context.Context, calls []call) error {
	if len(calls) == 0 {
		return nil
	}
	runs := make([]run, len(calls))
	for i, call := range calls {
		runs[i].call = call
	}
	e.names.used(ctx, runs)
	for _, result := range e.script.exec(ctx, e.client, calls) {
		if err := result.Error(); err != nil {
			return fmt.Errorf("redis: %w", err)
		}
	}
	return nil
}

func (c *consumer) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), replyTimeout)
	defer cancel()
	if err := c.Register(ctx, nil); err != nil {
		c.e.log.Debug().Err(err).Msg("consumer counts until it ages out")
	}
}

func (c *consumer) Notify(ctx context.Context) (string, error) {
	w := c.e.wakes.wait(c.queues) // before the look, so that no push goes between
	defer w.leave()
	for {
		queue, err := c.look()
		if queue != "" || err != nil || ctx.Err() != nil {
			return queue, err
		}
		select {
		case <-w.woken:
		case <-ctx.Done():
			return "", nil
		}
		w.again()
	}
}

// look returns the next queue that has a ready event.
func (c *consumer) look() (string, error) {
	if len(c.queues) == 0 {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), replyTimeout)
	defer cancel()
	left, err := c.e.left(ctx, c.queues)
	if err != nil {
		return "", err
	}
	for i := range c.queues {
		at := (c.next + i) % len(c.queues)
		if left[at] > 0 {
			c.next = at + 1
			return c.queues[at], nil
		}
	}
	return "", nil
}

// left returns how many events of each queue are ready, after making ready what is due.
func (e *Engine) left(ctx context.Context, queues []string) ([]int64, error) {
	calls := make([]call, len(queues))
	for i, q := range queues {
		calls[i] = call{q, []string{wakeChannel, q}}
	}
	left := make([]int64, len(queues))
	for i, result := range e.script.exec(ctx, e.client, calls) {
		n, err := result.AsIntSlice()
		if err == nil && len(n) != 1 {
			err = errReply
		}
		if err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
		left[i] = n[0]
	}
	return left, nil
}
