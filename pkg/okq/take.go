package okq

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// A consumer's waiting.
const (
	minPause   = 20 * time.Millisecond
	maxPause   = 2 * time.Second
	pollEvery  = time.Second // the net under the server's notifications
	popTimeout = 10 * time.Second
	lastAnswer = time.Second // how long a pop may go on when the consumer is being stopped
	maxPop     = 256         // events in one pop, which handlers get in batches
	minSingle  = 8           // pops in a pipeline to a server that has no batches, to begin with
)

// take pops and starts handlers until ctx ends.
func (c *Consumer) take(ctx, jobs context.Context) {
	bell := &bell{client: c.client, queues: c.order.names()}
	defer bell.close()
	failures, idle := 0, 0
	for ctx.Err() == nil {
		n := c.slots.acquire(ctx, maxPop, c.opts.Linger)
		err := c.gate(ctx)
		if n == 0 || ctx.Err() != nil {
			c.slots.release(n)
			return
		}
		got := 0
		if err == nil {
			got, err = c.popRound(ctx, jobs, n)
		}
		c.slots.release(n - got)
		switch {
		case err != nil:
			failures++
			c.logFailure(ctx, err, failures)
			pause(ctx, failures)
		case got > 0:
			failures, idle = 0, 0
		default:
			failures = 0
			idle = c.listen(ctx, bell, idle)
		}
	}
}

// listen waits for an event after a round that found none. A server that rings although there is nothing for us (others
// are faster) is not believed at once again: idle counts how often it did.
func (c *Consumer) listen(ctx context.Context, bell *bell, idle int) int {
	rang, err := bell.wait(ctx, pollEvery)
	switch {
	case err != nil:
		pause(ctx, idle+1)
		return min(idle+1, 6)
	case !rang:
		return 0
	}
	if idle > 0 {
		sleep(ctx, time.Millisecond<<min(idle, 6))
	}
	return idle + 1
}

func (c *Consumer) gate(ctx context.Context) error {
	if c.opts.Gate == nil {
		return nil
	}
	return c.opts.Gate(ctx)
}

// popRound pops up to n events, from the queue whose turn it is and then from the others, and returns how many it started.
func (c *Consumer) popRound(ctx, jobs context.Context, n int) (int, error) {
	caps, err := c.client.Caps(ctx)
	if err != nil {
		return 0, err
	}
	got := 0
	for i, queue := range c.order.next() {
		if c.opts.Skip != nil && c.opts.Skip(queue) {
			continue
		}
		want := c.share(i, queue, n-got, caps)
		popped := time.Now() // before the server's lease begins
		events, err := c.pop(ctx, queue, want)
		if len(events) > 0 && ctx.Err() != nil {
			c.handBack(jobs, events, popped)
			return got, nil
		}
		c.count.popped.Add(uint64(len(events)))
		for batch := range slices.Chunk(events, c.opts.Batch) {
			c.start(jobs, batch, popped, caps.Touch)
		}
		c.learn(want, len(events))
		got += len(events)
		if err != nil || got == n || ctx.Err() != nil {
			return got, err
		}
	}
	return got, nil
}

// share is how many of n to ask of the queue that comes i-th in its round. A lighter queue whose turn it is has a
// batch, not all there is. Where each event takes a command, we ask for about as many as there were.
func (c *Consumer) share(i int, queue string, n int, caps Caps) int {
	if i == 0 && queue != c.order.heaviest() {
		n = min(n, c.opts.Batch)
	}
	if !caps.Count {
		n = min(n, c.singles)
	}
	return n
}

// learn doubles the number of single pops as long as all of them are filled.
func (c *Consumer) learn(asked, got int) {
	switch {
	case got < asked:
		c.singles = max(got, minSingle)
	case asked == c.singles:
		c.singles = min(2*c.singles, maxPop)
	}
}

// pop is not cut short at once when ctx ends: what it takes has to come here, to be given back.
func (c *Consumer) pop(ctx context.Context, queue string, n int) ([]Event, error) {
	popping, cancel := context.WithTimeout(context.WithoutCancel(ctx), popTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		sleep(popping, lastAnswer)
		cancel()
	})
	defer stop()
	return c.client.Pop(popping, queue, n, c.opts.Lease)
}

// handBack returns events that came while the consumer was stopping; no handler has seen them.
func (c *Consumer) handBack(jobs context.Context, events []Event, popped time.Time) {
	batch := make([]*Delivery, len(events))
	for i, e := range events {
		batch[i] = newDelivery(jobs, c, e, popped, false)
	}
	c.slots.take(len(batch)) // finishing them frees as many
	c.giveBack(jobs, batch, giveback{released: true})
	for _, d := range batch {
		d.cancel(nil)
	}
}

func (c *Consumer) logFailure(ctx context.Context, err error, failures int) {
	if ctx.Err() != nil {
		return
	}
	event := c.opts.Log.Debug()
	if failures == 1 {
		event = c.opts.Log.Warn()
	}
	event.Err(err).Strs("queues", c.order.names()).Msg("cannot pop, will retry")
}

// pause waits longer after each failure, with jitter.
func pause(ctx context.Context, failures int) {
	d := min(minPause<<min(failures-1, 10), maxPause)
	sleep(ctx, d/2+rand.N(d/2))
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
