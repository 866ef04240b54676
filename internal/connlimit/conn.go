package connlimit

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// A Conn is a connection of a Listener. It is a stranger until Admit, and again when it is idle after an HTTP request.
type Conn struct {
	net.Conn
	listener *Listener // nil for a connection of another listener, about which nothing is done
	peer     string
	timer    *time.Timer  // of Policy.AuthTime; nil without
	received atomic.Int64 // bytes since since
	latest   atomic.Int64 // unix nanoseconds: when some came

	// The fields below are protected by listener.mu.
	stranger bool
	idle     bool
	since    time.Time // when it was accepted, or its latest HTTP request began
	wrong    int       // tries
	held     bool      // the server does not read: see Hold
}

// Hold tells that the server reads nothing until release is called, because it waits for memory, say. The client is not
// slow meanwhile.
func (c *Conn) Hold() (release func()) {
	if c.listener == nil {
		return func() {}
	}
	set := func(held bool) {
		c.listener.mu.Lock()
		defer c.listener.mu.Unlock()
		c.held, c.since = held, time.Now()
		c.received.Store(1)
		c.latest.Store(c.since.UnixNano())
	}
	set(true)
	return func() { set(false) }
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.received.Add(int64(n))
		c.latest.Store(time.Now().UnixNano())
	}
	return n, err
}

// CloseWrite ends what is sent and leaves the other direction open, so that the peer can read the last answer.
func (c *Conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// Close implements net.Conn. Closing again does nothing.
func (c *Conn) Close() error {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.listener.mu.Lock()
	c.listener.removeLocked(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// Admit makes the connection a stranger no more: its client has shown who it is or, where no credential is demanded,
// its request has arrived. Nothing but the server then closes it.
func (c *Conn) Admit() {
	if c.listener == nil {
		return
	}
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	if _, open := c.listener.conns[c]; open {
		c.listener.strangerLocked(c, false)
	}
}

// Wrong counts a wrong credential and waits, longer the more of them the peer gave in the last minute. It returns true
// when the connection should be closed.
func (c *Conn) Wrong(ctx context.Context) (closing bool) {
	if c.listener == nil {
		return true
	}
	l := c.listener
	l.mu.Lock()
	c.wrong++
	closing = c.wrong >= l.policy.Tries
	l.mu.Unlock()
	if closing {
		l.metrics.Closed.WithLabelValues(reasonTries).Inc()
	}
	timer := time.NewTimer(l.tries.delay(c.peer, time.Now()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-l.closed:
	}
	return closing
}

// evict closes a stranger in favour of somebody else. It does nothing to one that was admitted meanwhile.
func (c *Conn) evict(reason string) {
	l := c.listener
	l.mu.Lock()
	if !c.stranger {
		l.mu.Unlock()
		return
	}
	l.removeLocked(c)
	l.mu.Unlock()
	l.metrics.Closed.WithLabelValues(reason).Inc()
	c.Close()
}

// expire closes a connection that has not been admitted in time.
func (c *Conn) expire() {
	c.evict(reasonTime)
}

// begin notes that an HTTP request begins; rest that it has ended. From then on the connection is a stranger again:
// behind a proxy the next request may be anybody's.
func (c *Conn) begin() {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	if c.idle {
		c.idle, c.since = false, time.Now()
		c.received.Store(1) // the byte that made it active has been read
	}
}

func (c *Conn) rest() {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	if _, open := c.listener.conns[c]; open {
		c.idle, c.since = true, time.Now()
		c.listener.strangerLocked(c, true)
	}
}

// peerOf is what counts as one peer: an IPv4 address, or the 64 bits of an IPv6 address that a client cannot choose.
func peerOf(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.Network()
	}
	ip := ap.Addr().Unmap()
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return ip.String()
	}
	return prefix.String()
}
