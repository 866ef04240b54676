package okq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// Move moves an event to the back of another queue, or to another ID, in one step: at any moment it is in one of the two.
// from names the event by Queue and ID, and with Lease set only while that lease runs. to says where it goes; with nil
// Contents it keeps its own. It is not visible there before delay has passed, and its deliveries are counted from 0.
//
// Move reports false if there is no such event, or the lease is over. ErrDuplicate: there is an event with to's ID
// already, and nothing was done. After ErrUnavailable it may have been moved or not; it is safe to repeat.
// Okqd on a Redis Cluster may have the event in both queues for a while if it is killed between two steps.
func (c *Client) Move(ctx context.Context, from, to Event, delay time.Duration) (bool, error) {
	if from.Queue == "" || from.ID == "" || to.Queue == "" || to.ID == "" {
		return false, errors.New("move: events need a queue and an ID")
	}
	args := []string{from.ID, to.Queue, to.ID}
	if to.Contents != nil {
		args = append(args, "CONTENTS", rueidis.BinaryString(to.Contents))
	}
	if delay > 0 {
		args = append(args, "DELAY", delayMillis(delay))
	}
	return c.able(ctx, Caps.moves, ErrNoMove, "QMOVE", from.Queue, append(args, from.leaseArgs()...)...)
}

// Remove removes an event that is ready or delayed. It reports false if there is none, or if it is leased: a consumer is
// working on it.
func (c *Client) Remove(ctx context.Context, queue, id string) (bool, error) {
	return c.able(ctx, Caps.removes, ErrNoRemove, "QREMOVE", queue, id)
}

// Replace gives an event that is ready or delayed other contents, and has it visible once delay has passed. It goes on
// counting its deliveries. Replace reports false as Remove does.
func (c *Client) Replace(ctx context.Context, e Event, delay time.Duration) (bool, error) {
	args := []string{e.ID, rueidis.BinaryString(e.Contents)}
	if delay > 0 {
		args = append(args, "DELAY", delayMillis(delay))
	}
	return c.able(ctx, Caps.replaces, ErrNoReplace, "QREPLACE", e.Queue, args...)
}

func (caps Caps) moves() bool    { return caps.Move }
func (caps Caps) removes() bool  { return caps.Remove }
func (caps Caps) replaces() bool { return caps.Replace }

// able sends a command that is answered 1 or 0 to a server that knows it.
func (c *Client) able(ctx context.Context, knows func(Caps) bool, unable error, name, queue string, args ...string) (bool, error) {
	caps, err := c.Caps(ctx)
	if err == nil && !knows(caps) {
		err = unable
	}
	done := false
	if err == nil {
		done, err = c.yes(ctx, name, queue, args...)
	}
	if err != nil {
		return false, fmt.Errorf("%s in %q: %w", name, queue, err)
	}
	return done, nil
}

// Move moves the event to another queue, as Client.Move does, and so finishes the delivery. While okq cannot be reached it
// tries again, as Ack does. After ErrDuplicate and ErrNoMove the delivery is unfinished as before; after another error
// the event may come again, or may have been moved.
func (d *Delivery) Move(ctx context.Context, to Event) error {
	if !d.begin() {
		return ErrFinished
	}
	unsure := false // a move whose answer was lost may have been done
	for failures := 1; ; failures++ {
		moved, err := d.moveOnce(ctx, to)
		switch {
		case errors.Is(err, ErrDuplicate), errors.Is(err, ErrNoMove):
			d.reopen()
			return err
		case err == nil && (moved || unsure && d.held()):
			d.consumer.count.acked.Add(1)
			d.finish()
			return nil
		case err == nil:
			d.finish()
			return fmt.Errorf("move in %q: %w", d.Queue, ErrLeaseLost)
		case ctx.Err() != nil || !d.held() || !retryable(err):
			d.finish()
			return err
		}
		unsure = true
		pause(ctx, failures)
	}
}

func (d *Delivery) moveOnce(ctx context.Context, to Event) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.consumer.client.opts.Timeout)
	defer cancel()
	return d.consumer.client.Move(ctx, d.Event, to, 0)
}
