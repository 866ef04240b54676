package okq

import (
	"fmt"
	"net"
	"sync/atomic"

	"github.com/levenlabs/postmaster/pkg/okq/internal/resp"
)

// conn is a connection that checks what comes over it, and tells the dialer whether the server ever answered: one that
// accepts and then says nothing is away too.
type conn struct {
	net.Conn
	d        *dialer
	addr     int
	broken   func()      // is called when the connection broke, perhaps more than once; may be nil
	answered atomic.Bool // or that it did not is nobody's fault

	sent     resp.Scanner
	received resp.Scanner
	open     atomic.Int64 // commands without a reply
}

func newConn(nc net.Conn, d *dialer, addr int) *conn {
	c := &conn{Conn: nc, d: d, addr: addr}
	c.sent.Begin = func() error {
		c.open.Add(1)
		return nil
	}
	c.received.Begin = func() error {
		if c.open.Add(-1) < 0 {
			return fmt.Errorf("%w: a reply to nothing", resp.ErrProtocol)
		}
		return nil
	}
	return c
}

func (c *conn) Write(p []byte) (int, error) {
	if err := c.sent.Scan(p); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.lost()
	}
	if bad := c.received.Scan(p[:n]); bad != nil {
		c.lost()
		c.fail(fmt.Errorf("%s: %w", c.d.addrs[c.addr], bad))
		return 0, bad
	}
	if n > 0 && !c.answered.Swap(true) {
		c.d.succeeded(c.addr)
	}
	return n, err
}

func (c *conn) Close() error {
	c.lost()
	c.fail(fmt.Errorf("%s does not answer", c.d.addrs[c.addr]))
	return c.Conn.Close()
}

func (c *conn) lost() {
	if c.broken != nil {
		c.broken()
	}
}

// fail tells the dialer of a server that has not answered before.
func (c *conn) fail(err error) {
	if !c.answered.Swap(true) {
		c.d.failed(c.addr, err)
	}
}
