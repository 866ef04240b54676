package okq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

const (
	minBackoff = 20 * time.Millisecond
	maxBackoff = time.Second
)

// dialer connects to the first address that answers, beginning with the one that did last. After a round in which
// none did it refuses to try again for a while, so that callers fail at once and a server that is away is not hammered.
type dialer struct {
	addrs    []string
	password string
	tls      *tls.Config
	timeout  time.Duration
	log      zerolog.Logger
	sets     *queueSets

	connects atomic.Uint64 // connections made; each may be to a server of another kind

	mu       sync.Mutex // protects the fields below
	next     int        // index of the address to begin with
	failures int        // addresses that failed since one answered
	retryAt  time.Time
	lastErr  error
	up       bool // one answered since all had failed
	answered int  // index of the address that answered last
}

func (d *dialer) dial(ctx context.Context) (*conn, error) {
	first, err := d.begin()
	if err != nil {
		return nil, err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	var errs []error
	for i := range d.addrs {
		n := (first + i) % len(d.addrs)
		conn, err := d.dialOne(ctx, d.addrs[n], len(d.addrs)-i)
		if err == nil {
			d.connects.Add(1)
			return newConn(conn, d, n), nil
		}
		if errors.Is(caller.Err(), context.Canceled) {
			return nil, err // which says nothing about the server
		}
		d.failed(n, err)
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// dialOne leaves their share of the time to the addresses that are still to be tried. Where there are several, it refuses
// one that leads to other queues.
func (d *dialer) dialOne(ctx context.Context, addr string, left int) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
	defer cancel()
	var conn net.Conn
	var err error
	if d.tls != nil {
		conn, err = (&tls.Dialer{Config: d.tls}).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	if len(d.addrs) == 1 {
		return conn, nil
	}
	set, err := askQueueSet(ctx, conn, d.password)
	switch {
	case errors.Is(err, errNotLetIn):
		return conn, nil // the greeting, which comes next, tells the caller
	case err == nil:
		err = d.sets.admit(addr, set)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("okq at %s: %w", addr, err)
	}
	return conn, nil
}

// begin returns the address to start with, or the last failure while it is too early to try again.
func (d *dialer) begin() (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Now().Before(d.retryAt) {
		return 0, d.lastErr
	}
	return d.next, nil
}

// failed has the next attempt begin with the address after n. When all have failed it waits for a while, longer each time.
func (d *dialer) failed(n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures++
	d.next = (n + 1) % len(d.addrs)
	d.lastErr = err
	rounds := d.failures / len(d.addrs)
	if rounds == 0 {
		return
	}
	pause := min(minBackoff<<min(rounds-1, 10), maxBackoff)
	d.retryAt = time.Now().Add(pause/2 + rand.N(pause/2))
	if d.failures == len(d.addrs) {
		d.log.Warn().Err(err).Msg("okq is away")
	}
	d.up = false
}

// succeeded is told of each server that answered after it was connected to.
func (d *dialer) succeeded(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures, d.retryAt, d.lastErr, d.next = 0, time.Time{}, nil, n
	if !d.up || d.answered != n {
		d.log.Info().Str("addr", d.addrs[n]).Msg("okq is reachable")
	}
	d.up, d.answered = true, n
}

// refused is told that the server at hand answered, but does not let us in (a wrong password).
func (d *dialer) refused(err error) {
	d.mu.Lock()
	n := d.answered
	d.mu.Unlock()
	d.failed(n, err)
}
