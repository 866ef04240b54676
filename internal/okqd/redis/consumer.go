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
			calls = append(calls, call{queue: q, args: []string{wakeChannel, q, "leave", c.name}})
		}
	}
	for _, q := range queues {
		calls = append(calls, joinCall(q, c.name))
	}
	c.e.wakes.registered(c.name, queues)
	c.queues, c.next = queues, 0
	return c.e.do(ctx, calls)
}

// joinCall counts a consumer, in the first partition.
func joinCall(queue, name string) call {
	return call{queue: queue, args: []string{wakeChannel, queue, "join", name, millis(countsFor)}}
}

// do makes calls whose results nobody needs.
func (e *Engine) do(ctx context.Context, calls []call) error {
	if len(calls) == 0 {
		return nil
	}
	runs := make([]run, len(calls))
	for i, call := range calls {
		runs[i].queue = call.queue
	}
	if err := e.names.used(ctx, runs); err != nil {
		return err
	}
	for _, a := range e.script.exec(ctx, calls, 0) {
		if a.err != nil {
			return fmt.Errorf("redis: %w", a.err)
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
	all, err := e.leftIn(ctx, queues)
	if err != nil {
		return nil, err
	}
	left := make([]int64, len(queues))
	for i, n := range all {
		left[i/e.partitions] += n
	}
	return left, nil
}

// leftIn returns the same for each partition, those of a queue one after the other.
func (e *Engine) leftIn(ctx context.Context, queues []string) ([]int64, error) {
	var calls []call
	for _, q := range queues {
		for i := range e.partitions {
			calls = append(calls, newCall(q, i))
		}
	}
	left := make([]int64, len(calls))
	for i, a := range e.script.exec(ctx, calls, 0) {
		if a.err != nil {
			return nil, fmt.Errorf("redis: %w", a.err)
		}
		left[i] = a.left
	}
	return left, nil
}
