package okq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// PushOption says how to push.
type PushOption func(*pushOptions)

type pushOptions struct {
	front, noBlock bool
	delay          time.Duration
}

// Front puts the event where the next Pop finds it, before all others.
func Front() PushOption { return func(o *pushOptions) { o.front = true } }

// Delay keeps the event out of sight for d. A server without delays gets nothing: ErrNoDelay.
func Delay(d time.Duration) PushOption { return func(o *pushOptions) { o.delay = d } }

// NoBlock has the server answer ErrBusy rather than wait while it is busy. IMPORTANT: the original okq acknowledges such
// an event before it is stored.
func NoBlock() PushOption { return func(o *pushOptions) { o.noBlock = true } }

// Push puts an event at the back of its queue. Once it has returned nil the event is okq's: it survives a crash of the
// server. After ErrUnavailable the event may be there or not; push it again, with the same ID, and take ErrDuplicate
// for success then.
func (c *Client) Push(ctx context.Context, e Event, opts ...PushOption) error {
	o, err := c.pushOptions(ctx, opts)
	if err != nil {
		return fmt.Errorf("push %q: %w", e.Queue, err)
	}
	cmd, err := pushCommand(e, o)
	if err != nil {
		return err
	}
	if _, err := c.do(ctx, cmd.name, cmd.queue, cmd.args...); err != nil {
		return fmt.Errorf("push %q: %w", e.Queue, err)
	}
	return nil
}

// How much of a PushAll goes into one pipeline.
const (
	maxPipeline      = 256
	maxPipelineBytes = 4 << 20
)

// PushAll pushes events in pipelines, in order, and returns an error or nil for each.
func (c *Client) PushAll(ctx context.Context, events []Event, opts ...PushOption) []error {
	errs := make([]error, len(events))
	o, err := c.pushOptions(ctx, opts)
	if err != nil {
		for i := range errs {
			errs[i] = fmt.Errorf("push %q: %w", events[i].Queue, err)
		}
		return errs
	}
	for start := 0; start < len(events); {
		start += c.pushSome(ctx, events[start:], errs[start:], o)
	}
	return errs
}

// pushSome pushes as many of the first events as go into one pipeline and returns how many those were.
func (c *Client) pushSome(ctx context.Context, events []Event, errs []error, o pushOptions) int {
	var cmds []command
	var index []int // of each command's event
	n, size := 0, 0
	for ; n < len(events) && len(cmds) < maxPipeline && size < maxPipelineBytes; n++ {
		cmd, err := pushCommand(events[n], o)
		if err != nil {
			errs[n] = err
			continue
		}
		cmds, index = append(cmds, cmd), append(index, n)
		size += len(events[n].Contents)
	}
	_, failed := c.doAll(ctx, cmds)
	for i, err := range failed {
		if err != nil {
			errs[index[i]] = fmt.Errorf("push %q: %w", events[index[i]].Queue, err)
		}
	}
	return n
}

func (c *Client) pushOptions(ctx context.Context, opts []PushOption) (pushOptions, error) {
	var o pushOptions
	for _, opt := range opts {
		opt(&o)
	}
	if o.delay <= 0 {
		return o, nil
	}
	caps, err := c.Caps(ctx)
	if err == nil && !caps.Delay {
		err = ErrNoDelay
	}
	return o, err
}

func pushCommand(e Event, o pushOptions) (command, error) {
	if e.Queue == "" || e.ID == "" {
		return command{}, errors.New("push: an event needs a queue and an ID")
	}
	cmd := command{name: "QLPUSH", queue: e.Queue, args: []string{e.ID, rueidis.BinaryString(e.Contents)}}
	if o.front {
		cmd.name = "QRPUSH"
	}
	if o.noBlock {
		cmd.args = append(cmd.args, "NOBLOCK")
	}
	if o.delay > 0 {
		cmd.args = append(cmd.args, "DELAY", delayMillis(o.delay))
	}
	return cmd, nil
}
