package hooks

import (
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// limitListener leaves connections over a limit waiting in the kernel until one of the others has ended.
type limitListener struct {
	net.Listener
	slots chan struct{}
	open  prometheus.Gauge

	once   sync.Once
	closed chan struct{}
}

func newLimitListener(ln net.Listener, n int, open prometheus.Gauge) *limitListener {
	return &limitListener{Listener: ln, slots: make(chan struct{}, n), open: open, closed: make(chan struct{})}
}

func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	l.open.Inc()
	release := sync.OnceFunc(func() {
		l.open.Dec()
		<-l.slots
	})
	return &limitedConn{Conn: conn, release: release}, nil
}

func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
