package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
)

// Requests and replies have fixed sizes, so that writing and reading them costs the machine little beside the server.
const (
	idSize       = 16
	contentsSize = 1024
	queueSize    = 4 // "q" and three digits
	pushHead     = "*4\r\n$6\r\nQLPUSH\r\n$4\r\nq000\r\n$16\r\n"
	pushSize     = len(pushHead) + idSize + len("\r\n$1024\r\n") + contentsSize + 2
	okReply      = "+OK\r\n"
	ackHead      = "*3\r\n$4\r\nQACK\r\n$4\r\nq000\r\n$16\r\n"
	poppedSize   = len("*3\r\n$16\r\n") + idSize + len("\r\n$1024\r\n") + contentsSize + len("\r\n:1\r\n")
	poppedID     = len("*3\r\n$16\r\n")
)

var (
	lastID atomic.Uint64
	// noise is what contents are cut from: a store that compresses gains nothing.
	noise = sync.OnceValue(func() []byte {
		b := make([]byte, 1<<20)
		rand.NewChaCha8([32]byte{1}).Read(b)
		return b
	})
)

// client is one connection, with one queue.
type client struct {
	nc    net.Conn
	r     *bufio.Reader
	queue string
	out   []byte
	in    []byte
	ids   [][idSize]byte // popped and not acked
}

func dial(addr string, queue int) (*client, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{nc: nc, r: bufio.NewReaderSize(nc, 16<<10), queue: fmt.Sprintf("q%03d", queue)}, nil
}

// dialAll makes n connections to the same queue.
func dialAll(addr string, n, queue int) ([]*client, error) {
	clients := make([]*client, n)
	for i := range clients {
		var err error
		if clients[i], err = dial(addr, queue); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

func closeAll(clients []*client) {
	for _, c := range clients {
		c.nc.Close()
	}
}

// push pushes n new events in one write, and waits for the replies.
func (c *client) push(n int) (int, error) {
	c.out = c.out[:0]
	for range n {
		at := rand.IntN(len(noise()) - contentsSize)
		c.head(pushHead)
		c.out = append(fmt.Appendf(c.out, "%016x", lastID.Add(1)), "\r\n$1024\r\n"...)
		c.out = append(append(c.out, noise()[at:at+contentsSize]...), "\r\n"...)
	}
	return n, c.exchange(okReply, n)
}

// head begins a command for this client's queue.
func (c *client) head(head string) {
	at := len(c.out) + len(head) - len("q000\r\n$16\r\n")
	c.out = append(c.out, head...)
	copy(c.out[at:], c.queue)
}

// exchange writes what is to be written and reads n times the same reply.
func (c *client) exchange(reply string, n int) error {
	if _, err := c.nc.Write(c.out); err != nil {
		return err
	}
	for range n {
		got, err := c.r.ReadSlice('\n')
		if err != nil || string(got) != reply {
			return fmt.Errorf("reply %q, want %q (%v)", got, reply, err)
		}
	}
	return nil
}

// pop leases up to n events for ten minutes.
func (c *client) pop(n int) (int, error) {
	c.out = fmt.Appendf(c.out[:0], "*6\r\n$5\r\nQRPOP\r\n$4\r\n%s\r\n$2\r\nEX\r\n$3\r\n600\r\n$5\r\nCOUNT\r\n$4\r\n%04d\r\n", c.queue, n)
	if _, err := c.nc.Write(c.out); err != nil {
		return 0, err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil || line[0] != '*' {
		return 0, fmt.Errorf("reply %q (%v)", line, err)
	}
	got, err := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
	if err != nil {
		return 0, err
	}
	if len(c.in) < poppedSize {
		c.in = make([]byte, poppedSize)
	}
	for range got {
		if _, err := io.ReadFull(c.r, c.in); err != nil {
			return 0, err
		}
		c.ids = append(c.ids, [idSize]byte(c.in[poppedID:]))
		if c.in[1] == '4' { // the lease's token follows, which okqd from before does not send
			for range 2 {
				if _, err := c.r.ReadSlice('\n'); err != nil {
					return 0, err
				}
			}
		}
	}
	return got, nil
}

// ack acks all that was popped, in one write.
func (c *client) ack() (int, error) {
	c.out = c.out[:0]
	n := len(c.ids)
	for _, id := range c.ids {
		c.head(ackHead)
		c.out = append(append(c.out, id[:]...), "\r\n"...)
	}
	c.ids = c.ids[:0]
	return n, c.exchange(":1\r\n", n)
}

// popAck does both. Once the queue is empty it returns 0.
func (c *client) popAck(n int) (int, error) {
	if got, err := c.pop(n); got == 0 || err != nil {
		return 0, err
	}
	return c.ack()
}

// cycle pushes, pops and acks n events, which leaves the queue as long as it was.
func (c *client) cycle(n int) (int, error) {
	if _, err := c.push(n); err != nil {
		return 0, err
	}
	return c.popAck(n)
}
