package okqd

import (
	"context"
	"time"
)

// register counts the connection as a consumer of the queues, in the place of those it named before.
func (c *conn) register(ctx context.Context, args [][]byte) {
	queues := make([]string, len(args))
	for i, arg := range args {
		if len(arg) > maxQueueName {
			c.w.Error(errBadValue + "queue value: too long")
			return
		}
		queues[i] = string(arg)
	}
	if c.consumer == nil {
		c.consumer = c.srv.engine.NewConsumer()
	}
	if err := c.consumer.Register(ctx, queues); err != nil {
		c.log.Error().Err(err).Msg("register consumer")
		c.w.Error(errUnexpected)
		return
	}
	c.w.Simple("OK")
}

// notify answers the name of a registered queue that has an event, at once or when there is one.
func (c *conn) notify(ctx context.Context, args [][]byte) {
	timeout, err := parseSeconds(args[0], "timeout", 0)
	if err != nil {
		c.w.Error(err.Error())
		return
	}
	queue, err := c.await(ctx, timeout)
	switch {
	case err != nil:
		c.log.Error().Err(err).Msg("notify consumer")
		c.w.Error(errUnexpected)
	case queue == "":
		c.w.Null()
	default:
		c.w.BulkString(queue)
	}
}

// await looks, and then waits, as long as the client is there.
func (c *conn) await(ctx context.Context, timeout time.Duration) (string, error) {
	if c.consumer == nil {
		c.consumer = c.srv.engine.NewConsumer()
	}
	look, cancel := context.WithCancel(ctx)
	cancel()
	queue, err := c.consumer.Notify(look)
	if queue != "" || err != nil || timeout == 0 {
		return queue, err
	}
	if c.flush() != nil {
		c.closing = true
		return "", nil
	}
	ctx, cancel = context.WithTimeout(ctx, timeout)
	defer cancel()
	defer c.watch(cancel)()
	return c.consumer.Notify(ctx)
}

// maxWatched is how much a client may send while it waits before watch gives up; TCP holds the rest.
const maxWatched = 64 << 10

// watch reads while nothing else does, and calls gone when the client has left. The function that it returns must be
// called before anything else is read.
func (c *conn) watch(gone func()) (stop func()) {
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for c.r.Buffered() < maxWatched {
			if err := c.r.Fill(); err != nil {
				gone()
				return
			}
		}
	}()
	return func() {
		c.interrupt()
		<-watched
		c.timed = true // so that the next fill takes the deadline off
	}
}
