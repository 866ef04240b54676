package okq

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// Client talks to okq. Its methods may be called from many goroutines; their commands share a few connections, in
// pipelines. It connects when it is first used and again whenever a connection broke.
type Client struct {
	opts   Options
	dialer *dialer
	lanes  []*lane
	caps   atomic.Pointer[knownCaps]

	ctx    context.Context // the client's own life, which Close ends
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// New returns a client for opts. It connects to nothing yet: an okq that is away makes calls fail, not New.
func New(opts Options) (*Client, error) {
	opts.setDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	c := &Client{opts: opts, dialer: &dialer{
		addrs: opts.Addrs, password: opts.Password, tls: opts.TLS, timeout: opts.DialTimeout, log: opts.Log,
		sets: newQueueSets(opts.Log),
	}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for range opts.PoolSize {
		l, err := newLane(c)
		if err != nil {
			c.Close()
			return nil, err
		}
		c.lanes = append(c.lanes, l)
	}
	if len(opts.Addrs) > 1 {
		c.wg.Go(c.watchQueueSets)
	}
	return c, nil
}

// Close ends the connections. Calls that are under way fail.
func (c *Client) Close() {
	c.cancel()
	c.wg.Wait()
	for _, l := range c.lanes {
		l.rc.Close()
	}
}

// Ping asks whether okq is there.
func (c *Client) Ping(ctx context.Context) error {
	if _, err := c.do(ctx, "PING", ""); err != nil {
		return fmt.Errorf("ping okq: %w", err)
	}
	return nil
}

// company is how many bytes may be under way on a connection before the next one is used.
const company = 128 << 10

// lane chooses a connection. Any will do: the server takes commands of one queue from all of them. Small commands share
// one, since what is written and read together costs both ends a fraction of what it costs alone; large ones spread.
func (c *Client) lane() *lane {
	for _, l := range c.lanes {
		if l.underWay.Load() < company {
			return l
		}
	}
	return c.lanes[rand.N(len(c.lanes))]
}
