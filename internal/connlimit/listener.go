// Package connlimit bounds how many connections a server has at one time.
package connlimit

import (
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// listener leaves connections over a limit waiting in the kernel until one of the others has ended.
type listener struct {
	net.Listener
	slots chan struct{}
	open  prometheus.Gauge

	once   sync.Once
	closed chan struct{}
}

// New returns a listener that has at most n connections open, and counts them in open.
func New(ln net.Listener, n int, open prometheus.Gauge) net.Listener {
	return &listener{Listener: ln, slots: make(chan struct{}, n), open: open, closed: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	l.open.Inc()
	release := sync.OnceFunc(func() {
		l.open.Dec()
		<-l.slots
	})
	return &conn{Conn: c, release: release}, nil
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type conn struct {
	net.Conn
	release func()
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
