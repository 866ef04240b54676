package okq

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Delivery is an event that was popped for a handler, with its lease. While it is unfinished the consumer has the lease
// extended. A delivery that cannot be (the original okq) has a Context with the lease's own deadline, less a margin.
type Delivery struct {
	Event

	consumer  *Consumer
	touchable bool
	ctx       context.Context
	cancel    context.CancelCauseFunc

	mu       sync.Mutex // protects the fields below
	state    state
	lost     bool
	deadline time.Time // the lease holds until here, whatever the network did
	touchAt  time.Time
	timer    *time.Timer
}

type state int

const (
	unfinished state = iota
	finishing        // Ack or Redo is under way
	finished
)

func newDelivery(jobs context.Context, c *Consumer, e Event, popped time.Time, touchable bool) *Delivery {
	d := &Delivery{Event: e, consumer: c, touchable: touchable}
	d.deadline = popped.Add(c.opts.Lease - margin(c.opts.Lease))
	d.ctx, d.cancel = context.WithCancelCause(jobs)
	if !touchable {
		cancel, stop := d.cancel, context.CancelFunc(nil)
		d.ctx, stop = context.WithDeadlineCause(d.ctx, d.deadline, ErrLeaseLost)
		d.cancel = func(cause error) { cancel(cause); stop() }
	}
	d.touchAt = popped.Add(c.opts.Lease / 3)
	d.timer = time.AfterFunc(time.Until(d.deadline), d.expire)
	c.leases.add(d)
	return d
}

// margin is by how much a lease counts as over before the server ends it.
func margin(lease time.Duration) time.Duration { return min(lease/10, 2*time.Second) }

// Context ends when the delivery must not be acted for any more, with ErrLeaseLost or ErrDrainTimeout as its cause, and
// when Handle has returned.
func (d *Delivery) Context() context.Context { return d.ctx }

// Ack says that the event was dealt with, which finishes the delivery whatever comes of it. While okq cannot be reached
// it tries again until ctx ends or the lease does; it tries once even when ctx has ended before. After an error the event
// may come again.
func (d *Delivery) Ack(ctx context.Context) error {
	if !d.begin() {
		return ErrFinished
	}
	defer d.finish()
	unsure := false // an ack whose answer was lost may have been done
	for failures := 1; ; failures++ {
		gone, err := d.ackOnce(ctx)
		switch {
		case err == nil && (gone || unsure && d.held()):
			d.consumer.count.acked.Add(1)
			return nil
		case err == nil:
			return fmt.Errorf("ack in %q: %w", d.Queue, ErrLeaseLost)
		case ctx.Err() != nil || !d.held() || !retryable(err):
			return err
		}
		unsure = true
		pause(ctx, failures)
	}
}

func (d *Delivery) ackOnce(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.consumer.client.opts.Timeout)
	defer cancel()
	return d.consumer.client.AckLease(ctx, d.Event)
}

// Redo gives the event back, to be delivered again after delay, and finishes the delivery. On a server without delays
// any delay but 0 is what is left of the lease. It is not repeated: if it fails, the end of the lease does the same.
func (d *Delivery) Redo(ctx context.Context, delay time.Duration) error {
	if !d.begin() {
		return ErrFinished
	}
	return d.consumer.redo(ctx, []*Delivery{d}, giveback{delay: delay})
}

// Release gives the event back untried, to be delivered again after delay, and finishes the delivery. On a server with
// RELEASE it does not count as one. Otherwise it is as Redo.
func (d *Delivery) Release(ctx context.Context, delay time.Duration) error {
	if !d.begin() {
		return ErrFinished
	}
	return d.consumer.redo(ctx, []*Delivery{d}, giveback{delay: delay, released: true})
}

// begin claims the right to finish the delivery.
func (d *Delivery) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != unfinished {
		return false
	}
	d.state = finishing
	return true
}

// reopen takes begin back: the delivery is unfinished as before.
func (d *Delivery) reopen() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = unfinished
}

// finish frees the delivery's slot. The caller has called begin.
func (d *Delivery) finish() {
	d.mu.Lock()
	d.state = finished
	d.timer.Stop()
	d.mu.Unlock()
	d.consumer.leases.remove(d)
	d.consumer.slots.release(1)
}

// held reports whether the lease is ours for sure.
func (d *Delivery) held() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.lost && time.Now().Before(d.deadline)
}

// expire ends the delivery's time when no extension came; the timer calls it.
func (d *Delivery) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if left := time.Until(d.deadline); left > 0 {
		d.timer.Reset(left) // it was extended while the timer fired
		return
	}
	d.loseLocked()
}

// lapse is for whoever notices that the lease is over before the timer does.
func (d *Delivery) lapse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loseLocked()
}

// loseLocked ends the context of a delivery whose lease is over. One that is being finished may go on with that.
func (d *Delivery) loseLocked() {
	if d.state == finished || d.lost {
		return
	}
	d.lost = true
	d.consumer.count.lost.Add(1)
	d.cancel(ErrLeaseLost)
}

// extended notes an extension that was asked for at the given time.
func (d *Delivery) extended(asked time.Time, lease time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == finished || d.lost {
		return
	}
	d.deadline = asked.Add(lease - margin(lease))
	d.touchAt = asked.Add(lease / 3)
	d.timer.Reset(time.Until(d.deadline))
}

// refused notes that the server knows no such lease. When the delivery is being finished that is why.
func (d *Delivery) refused() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == unfinished {
		d.loseLocked()
	}
}

// due reports whether it is time to extend the lease, which is still held.
func (d *Delivery) due(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.touchable && !d.lost && d.state != finished && !now.Before(d.touchAt) && now.Before(d.deadline)
}
