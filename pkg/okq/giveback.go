package okq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"
)

// giveback is how deliveries go back to their queue.
type giveback struct {
	delay    time.Duration
	released bool // they do not count, if the server can do that
}

// giveBack returns what is unfinished among batch to its queue. An error needs no more than a log line: the leases end.
func (c *Consumer) giveBack(jobs context.Context, batch []*Delivery, how giveback) {
	var left []*Delivery
	for _, d := range batch {
		if d.begin() {
			left = append(left, d)
		}
	}
	if len(left) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(jobs), c.client.opts.Timeout)
	defer cancel()
	if err := c.redo(ctx, left, how); err != nil && !errors.Is(err, ErrLeaseLost) {
		c.opts.Log.Warn().Err(err).Int("events", len(left)).Msg("cannot give events back, their leases will")
	}
}

// redo gives back deliveries of one or more queues, all claimed by begin, and finishes them.
// A lost one is left alone: it may be leased to another consumer by now.
func (c *Consumer) redo(ctx context.Context, batch []*Delivery, how giveback) error {
	defer func() {
		for _, d := range batch {
			d.finish()
		}
	}()
	redo := []string{"REDO"}
	if how != (giveback{}) {
		caps, err := c.client.Caps(ctx)
		if err != nil {
			return fmt.Errorf("redo: %w", err)
		}
		if how.delay > 0 && !caps.Delay {
			c.count.redone.Add(uint64(len(batch)))
			return nil
		}
		if how.delay > 0 {
			redo = append(redo, "DELAY", delayMillis(how.delay))
		}
		if how.released && caps.Release {
			redo = append(redo, "RELEASE")
		}
	}
	var errs []error
	for some := range slices.Chunk(batch, maxPipeline) {
		errs = append(errs, c.redoSome(ctx, some, redo))
	}
	return errors.Join(errs...)
}

func (c *Consumer) redoSome(ctx context.Context, batch []*Delivery, redo []string) error {
	var cmds []command
	var errs []error
	for _, d := range batch {
		if !d.held() {
			d.lapse()
			errs = append(errs, fmt.Errorf("redo in %q: %w", d.Queue, ErrLeaseLost))
			continue
		}
		cmds = append(cmds, command{name: "QACK", queue: d.Queue, args: slices.Concat([]string{d.ID}, redo, d.leaseArgs())})
	}
	msgs, failed := c.client.doAll(ctx, cmds)
	for i, err := range failed {
		done := false
		if err == nil {
			done, err = isOne("QACK", msgs[i])
		}
		if err == nil && !done {
			err = ErrLeaseLost
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("redo in %q: %w", cmds[i].queue, err))
			continue
		}
		c.count.redone.Add(1)
	}
	return errors.Join(errs...)
}

// panicked logs a handler's panic and returns how long its events should wait: twice as long after each delivery.
func (c *Consumer) panicked(p any, batch []*Delivery) time.Duration {
	c.count.panics.Add(1)
	deliveries := 1
	var ids []string
	for _, d := range batch {
		deliveries = max(deliveries, d.Deliveries)
		ids = append(ids, d.ID)
	}
	delay := min(time.Second<<min(deliveries-1, 10), time.Minute)
	delay = delay/2 + rand.N(delay/2)
	c.opts.Log.Error().Str("panic", fmt.Sprint(p)).Str("stack", string(debug.Stack())).
		Str("queue", batch[0].Queue).Strs("event_ids", ids).Dur("delay_ms", delay).Msg("handler panicked")
	return delay
}

func retryable(err error) bool { return errors.Is(err, ErrUnavailable) }
