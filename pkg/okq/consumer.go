package okq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Why a Delivery's Context ended, from context.Cause, and what its methods return.
var (
	// The event may be with another consumer by now: it must not be acted for any more.
	ErrLeaseLost = errors.New("the lease of the event is lost")
	// The consumer was stopped and DrainWait is over.
	ErrDrainTimeout = errors.New("stopped: the time to finish is over")
	// Ack or Redo was called before.
	ErrFinished = errors.New("the delivery is finished already")
)

// QueueWeight is a queue and how much it is preferred.
type QueueWeight struct {
	Queue  string
	Weight int
}

// ConsumerOptions say what is consumed, and how. Queues and Handle are required.
type ConsumerOptions struct {
	// Queues are popped by weight: out of as many rounds as all weights add up to, each queue is asked first in as many
	// as its own weight, evenly spread: the heaviest for all that is free, others for a batch. What the first does not
	// fill is offered to the others, the heaviest first. So with 10:1 the second queue waits for at most 10 rounds while
	// the first is never empty, and has everything when it is.
	Queues []QueueWeight

	Concurrency int           // unfinished deliveries at most; 1 if 0
	Limit       func() int    // if set, how many of them to have now; asked again whenever one is finished
	Batch       int           // deliveries per Handle at most; Concurrency or 64 if 0, the lesser
	Lease       time.Duration // at least a second; DefaultLease if 0

	// Linger is how long a consumer that is nearly at its Concurrency waits for more of it to be free, to pop larger
	// batches; 2 ms if 0, none if negative.
	Linger time.Duration

	// DrainWait is how long handlers may go on when Run's context has ended. Then their contexts end with ErrDrainTimeout.
	DrainWait time.Duration

	// Handle is called in a goroutine of its own with deliveries of one queue. Each is to be finished with Ack or Redo;
	// what is not when Handle returns or panics is given back. ctx outlives Run's own, see DrainWait. To return without
	// having finished one is not to have tried: on a server with RELEASE that delivery does not count.
	Handle func(ctx context.Context, batch []*Delivery)

	// Gate, if set, is called before each pop and blocks while there should be none.
	Gate func(ctx context.Context) error

	// Skip, if set, tells which queues not to pop now.
	Skip func(queue string) bool

	Log zerolog.Logger
}

func (o *ConsumerOptions) setDefaults() {
	if o.Concurrency == 0 {
		o.Concurrency = 1
	}
	if o.Batch == 0 {
		o.Batch = 64
	}
	o.Batch = min(o.Batch, o.Concurrency)
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	if o.Linger == 0 {
		o.Linger = 2 * time.Millisecond
	}
}

func (o *ConsumerOptions) validate() error {
	var errs []error
	if len(o.Queues) == 0 {
		errs = append(errs, errors.New("no queue"))
	}
	for _, q := range o.Queues {
		if q.Queue == "" || q.Weight < 1 {
			errs = append(errs, fmt.Errorf("queue %q of weight %d: it needs a name and a weight of at least 1", q.Queue, q.Weight))
		}
	}
	if o.Handle == nil {
		errs = append(errs, errors.New("no handler"))
	}
	if o.Concurrency < 1 || o.Batch < 1 {
		errs = append(errs, errors.New("concurrency and batch must be at least 1"))
	}
	if o.Lease < time.Second {
		errs = append(errs, errors.New("the lease must be at least a second"))
	}
	if len(errs) > 0 {
		return fmt.Errorf("okq consumer: %w", errors.Join(errs...))
	}
	return nil
}

// Consumer pops events and has them handled, see ConsumerOptions.
type Consumer struct {
	client *Client
	opts   ConsumerOptions
	order  *rotation
	slots  *slots
	leases *leases
	count  counters

	singles  int // how many single pops to pipeline next; of the goroutine that pops
	handlers sync.WaitGroup
}

// NewConsumer returns a consumer that does nothing until Run.
func NewConsumer(client *Client, opts ConsumerOptions) (*Consumer, error) {
	opts.setDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	c := &Consumer{client: client, opts: opts, order: newRotation(opts.Queues), slots: newSlots(opts.Concurrency, opts.Limit), singles: minSingle}
	c.leases = &leases{client: client, lease: opts.Lease, count: &c.count, live: map[*Delivery]bool{}}
	return c, nil
}

// stuckGrace is how long handlers have to return once they were cut off, before their deliveries are given back.
const stuckGrace = time.Second

// Run consumes until ctx ends, then lets the handlers finish, for DrainWait at most, and returns when all are gone.
// It is called once.
func (c *Consumer) Run(ctx context.Context) error {
	jobs, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)

	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	var keeper sync.WaitGroup
	keeper.Go(func() { c.leases.keep(keeping) })
	defer keeper.Wait()
	defer stopKeeping()

	done := make(chan struct{})
	var cutter sync.WaitGroup
	cutter.Go(func() { c.cutOff(ctx, jobs, cut, done) })
	defer cutter.Wait()

	c.take(ctx, jobs)
	c.handlers.Wait()
	close(done)
	return nil
}

// cutOff ends the handlers' time once ctx has ended and DrainWait is over, unless they are done before.
func (c *Consumer) cutOff(ctx, jobs context.Context, cut context.CancelCauseFunc, done <-chan struct{}) {
	<-ctx.Done()
	if waited(done, c.opts.DrainWait) {
		return
	}
	cut(ErrDrainTimeout)
	if !waited(done, stuckGrace) {
		c.giveBack(jobs, c.leases.all(), giveback{})
	}
}

func waited(done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// start hands events to the handler. Their slots are taken already.
func (c *Consumer) start(jobs context.Context, events []Event, popped time.Time, touchable bool) {
	batch := make([]*Delivery, len(events))
	for i, e := range events {
		batch[i] = newDelivery(jobs, c, e, popped, touchable)
	}
	c.handlers.Go(func() { c.handle(jobs, batch) })
}

// handle calls the handler and gives back what it left, even when it panicked.
func (c *Consumer) handle(jobs context.Context, batch []*Delivery) {
	defer func() {
		how := giveback{released: jobs.Err() == nil} // who was cut off had begun
		if p := recover(); p != nil {
			how = giveback{delay: c.panicked(p, batch)}
		}
		c.giveBack(jobs, batch, how)
		for _, d := range batch {
			d.cancel(nil)
		}
	}()
	c.opts.Handle(jobs, batch)
}
