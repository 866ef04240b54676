package okq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Client talks to okq. Its methods may be called from many goroutines; their commands share a few connections, in
// pipelines. It connects when it is first used and again whenever a connection broke.
type Client struct {
	opts   Options
	dialer *dialer
	rc     rueidis.Client
	caps   atomic.Pointer[knownCaps]

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex // protects probe
	probe *probe
}

// probe is one attempt to reach okq, for all callers that wait for it.
type probe struct {
	done chan struct{}
	err  error
}

// New returns a client for opts. It connects to nothing yet: an okq that is away makes calls fail, not New.
func New(opts Options) (*Client, error) {
	opts.setDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	c := &Client{opts: opts}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.dialer = &dialer{addrs: opts.Addrs, tls: opts.TLS, timeout: opts.DialTimeout, log: opts.Log}

	var started atomic.Bool
	rc, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{"okq"}, // a name only: the dialer knows the addresses
		DialCtxFn: func(ctx context.Context, _ string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			if !started.Load() {
				return nil, errors.New("not yet") // NewClient would connect at once
			}
			return c.dialer.dial(ctx)
		},
		Password: opts.Password,
		// The original okq knows nothing but its own commands and PING, and answers errors to HELLO and the like.
		ForceSingleClient: true,
		AlwaysRESP2:       true,
		DisableCache:      true,
		ClientSetInfo:     rueidis.DisableClientSetInfo,
		DisableRetry:      true, // what may be repeated, and for how long, is for the methods to say
		AlwaysPipelining:  true, // has a reader on each connection, which notices at once when it breaks
		PipelineMultiplex: opts.multiplex(),
		Dialer:            net.Dialer{Timeout: opts.DialTimeout, KeepAlive: max(opts.Timeout/4, time.Second)},
		ConnWriteTimeout:  opts.Timeout,
		RingScaleEachConn: 9,
		// Large contents go past the buffers anyway.
		ReadBufferEachConn:  64 << 10,
		WriteBufferEachConn: 64 << 10,
	})
	if rc == nil {
		return nil, fmt.Errorf("okq client: %w", err)
	}
	started.Store(true)
	c.rc = rc
	return c, nil
}

// Close ends the connections. Calls that are under way fail.
func (c *Client) Close() {
	c.cancel()
	c.wg.Wait()
	c.rc.Close()
}

// Ping asks whether okq is there.
func (c *Client) Ping(ctx context.Context) error {
	if _, err := c.do(ctx, "PING", ""); err != nil {
		return fmt.Errorf("ping okq: %w", err)
	}
	return nil
}

// reach returns at once when okq was there the last time anyone looked. Otherwise it waits, no longer than ctx, for
// one attempt to connect that all callers share.
func (c *Client) reach(ctx context.Context) error {
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return interrupted(err)
	}
	if c.dialer.up.Load() {
		return nil
	}
	if _, err := c.dialer.begin(); err != nil {
		return fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	p := c.startProbe()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return interrupted(ctx.Err())
	}
}

func (c *Client) startProbe() *probe {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.probe != nil {
		return c.probe
	}
	p := &probe{done: make(chan struct{})}
	c.probe = p
	c.wg.Go(func() {
		ctx, cancel := context.WithTimeout(c.ctx, c.opts.DialTimeout)
		defer cancel()
		err := c.rc.Do(ctx, c.rc.B().Arbitrary("PING").Build()).NonRedisError()
		p.err = c.callError(ctx, err)
		c.noteRefusal(err)
		c.mu.Lock()
		c.probe = nil
		c.mu.Unlock()
		close(p.done)
	})
	return p
}

// noteRefusal has the dialer pause after a server that answered an error when it was connected to.
func (c *Client) noteRefusal(err error) {
	if reply, ok := rueidis.IsRedisErr(err); ok {
		c.dialer.refused(errors.New(reply.Error()))
	}
}
