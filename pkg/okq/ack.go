package okq

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// Ack says that an event was dealt with: it is gone then. False: it was gone before. It is safe to repeat.
func (c *Client) Ack(ctx context.Context, queue, id string) (bool, error) {
	done, err := c.yes(ctx, "QACK", queue, id)
	if err != nil {
		return false, fmt.Errorf("ack in %q: %w", queue, err)
	}
	return done, nil
}

// AckLease removes an event that was popped, if the lease under which it was still runs. It reports false if the lease is
// over, and then does nothing: the event may be with another consumer, or may have been put back. A server without lease
// tokens does what Ack does.
func (c *Client) AckLease(ctx context.Context, e Event) (bool, error) {
	done, err := c.yes(ctx, "QACK", e.Queue, append([]string{e.ID}, e.leaseArgs()...)...)
	if err != nil {
		return false, fmt.Errorf("ack in %q: %w", e.Queue, err)
	}
	return done, nil
}

// Redo gives a leased event back: it is at the front of its queue once delay has passed. False: it was not leased.
// A server without delays answers ErrNoDelay to any but 0, and nothing is done.
// The original okq keeps the old lease running, so that whoever gets the event next has it for a shorter time than it asked for.
func (c *Client) Redo(ctx context.Context, queue, id string, delay time.Duration) (bool, error) {
	args := []string{id, "REDO"}
	if delay > 0 {
		caps, err := c.Caps(ctx)
		if err == nil && !caps.Delay {
			err = ErrNoDelay
		}
		if err != nil {
			return false, fmt.Errorf("redo in %q: %w", queue, err)
		}
		args = append(args, "DELAY", delayMillis(delay))
	}
	done, err := c.yes(ctx, "QACK", queue, args...)
	if err != nil {
		return false, fmt.Errorf("redo in %q: %w", queue, err)
	}
	return done, nil
}

// Touch has the lease of an event end lease from now. False: it is not leased any more. ErrNoTouch: the server cannot.
func (c *Client) Touch(ctx context.Context, queue, id string, lease time.Duration) (bool, error) {
	caps, err := c.Caps(ctx)
	if err == nil && !caps.Touch {
		err = ErrNoTouch
	}
	if err != nil {
		return false, fmt.Errorf("touch in %q: %w", queue, err)
	}
	done, err := c.yes(ctx, "QTOUCH", queue, id, "EX", leaseSeconds(lease))
	if err != nil {
		return false, fmt.Errorf("touch in %q: %w", queue, err)
	}
	return done, nil
}

// yes sends a command that is answered 1 or 0.
func (c *Client) yes(ctx context.Context, name, queue string, args ...string) (bool, error) {
	msg, err := c.do(ctx, name, queue, args...)
	if err != nil {
		return false, err
	}
	return isOne(name, msg)
}

func isOne(name string, msg rueidis.RedisMessage) (bool, error) {
	n, err := msg.AsInt64()
	if err != nil {
		return false, badReply(name, err)
	}
	return n == 1, nil
}
