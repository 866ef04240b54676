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

// lane is one connection that is shared by many callers, in pipelines, and made again whenever it broke. Only its own
// probes make it, so that neither the patience of one caller nor its end decides over another.
type lane struct {
	c         *Client
	rc        rueidis.Client
	connected atomic.Bool  // false as soon as the connection broke
	breaks    atomic.Int64 // how many connections did
	underWay  atomic.Int64 // bytes of commands without a reply

	mu    sync.Mutex // protects probe
	probe *probe
}

// probe is one attempt to connect, for all callers that wait for it.
type probe struct {
	done chan struct{}
	err  error
}

// newLane connects to nothing yet.
func newLane(c *Client) (*lane, error) {
	l := &lane{c: c}
	var started atomic.Bool
	rc, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{"okq"}, // a name only: the dialer knows the addresses
		DialCtxFn: func(ctx context.Context, _ string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			if !started.Load() {
				return nil, errors.New("not yet") // NewClient would connect at once
			}
			conn, err := c.dialer.dial(ctx)
			if err != nil {
				return nil, err // a nil *conn in a net.Conn would not be nil
			}
			conn.broken = l.broken
			return conn, nil
		},
		Password: c.opts.Password,
		// The original okq knows nothing but its own commands and PING, and answers errors to HELLO and the like.
		ForceSingleClient: true,
		AlwaysRESP2:       true,
		DisableCache:      true,
		ClientSetInfo:     rueidis.DisableClientSetInfo,
		DisableRetry:      true, // what may be repeated, and for how long, is for the methods to say
		AlwaysPipelining:  true, // has a reader, which notices at once when the connection breaks
		PipelineMultiplex: -1,   // one connection
		Dialer:            net.Dialer{Timeout: c.opts.DialTimeout, KeepAlive: max(c.opts.Timeout/4, time.Second)},
		ConnWriteTimeout:  c.opts.Timeout,
		RingScaleEachConn: 9,
		// Large contents go past the buffers anyway.
		ReadBufferEachConn:  64 << 10,
		WriteBufferEachConn: 64 << 10,
	})
	if rc == nil {
		return nil, fmt.Errorf("okq client: %w", err)
	}
	started.Store(true)
	l.rc = rc
	return l, nil
}

// reach returns at once when the lane is connected. Otherwise it waits, no longer than ctx, for an attempt to connect.
func (l *lane) reach(ctx context.Context) error {
	if l.c.ctx.Err() != nil {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return interrupted(err)
	}
	if l.connected.Load() {
		return nil
	}
	if _, err := l.c.dialer.begin(); err != nil {
		return fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	p := l.startProbe()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return interrupted(ctx.Err())
	}
}

// carry counts bytes as under way until what it returns is called.
func (l *lane) carry(size int64) func() {
	l.underWay.Add(size)
	return func() { l.underWay.Add(-size) }
}

func (l *lane) startProbe() *probe {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.probe != nil {
		return l.probe
	}
	p := &probe{done: make(chan struct{})}
	l.probe = p
	l.c.wg.Go(func() {
		p.err = l.connect()
		l.mu.Lock()
		l.probe = nil
		l.mu.Unlock()
		close(p.done)
	})
	return p
}

// connect has rueidis connect by sending a PING. Any answer to that will do, but not one to the greeting before it,
// which means that we are not let in (a wrong password).
func (l *lane) connect() error {
	ctx, cancel := context.WithTimeout(l.c.ctx, l.c.opts.DialTimeout)
	defer cancel()
	breaks := l.breaks.Load()
	err := l.rc.Do(ctx, l.rc.B().Arbitrary("PING").Build()).NonRedisError()
	if err == nil {
		l.connected.Store(true)
		if l.breaks.Load() != breaks {
			l.connected.Store(false) // it broke meanwhile, or an older one did: look again
		}
		return nil
	}
	if reply, ok := rueidis.IsRedisErr(err); ok {
		l.c.dialer.refused(errors.New(reply.Error()))
	}
	return l.c.callError(ctx, err)
}

func (l *lane) broken() {
	l.breaks.Add(1)
	l.connected.Store(false)
}
