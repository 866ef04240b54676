package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"
)

// A leaser does itself what is the least that okqd could do for pops and acks: it takes events from a list and notes each in
// a sorted set, in one write, and strikes them out with another. The contents are nowhere meanwhile: they die with it.
type leaser struct {
	*client
	pop, ack, popped, acked []byte // what it says, and is to be told
}

func newLeaser(c *client, n int) leaser {
	l := leaser{client: c}
	l.pop = fmt.Appendf(nil, "*3\r\n$4\r\nLPOP\r\n$6\r\nmylist\r\n$2\r\n%02d\r\n*%d\r\n$4\r\nZADD\r\n$6\r\nleased\r\n", n, 2+2*n)
	l.ack = fmt.Appendf(nil, "*%d\r\n$4\r\nZREM\r\n$6\r\nleased\r\n", 2+n)
	for i := range n {
		member := fmt.Appendf(nil, "$%d\r\n%s-%02d\r\n", len(c.nc.LocalAddr().String())+3, c.nc.LocalAddr(), i)
		l.pop = append(append(l.pop, "$13\r\n1767225600000\r\n"...), member...)
		l.ack = append(l.ack, member...)
	}
	l.popped = make([]byte, len("*16\r\n:16\r\n")+n*len("$1024\r\n\r\n")+n*contentsSize)
	l.acked = fmt.Appendf(nil, ":%d\r\n", n)
	return l
}

// lease does both. Once the list is empty it returns 0.
func (l leaser) lease(n int) (int, error) {
	if _, err := l.nc.Write(l.pop); err != nil {
		return 0, err
	}
	if first, err := l.r.Peek(2); err != nil || string(first) == "*-" {
		return 0, err
	}
	if _, err := io.ReadFull(l.r, l.popped); err != nil {
		return 0, err
	}
	if !bytes.HasSuffix(l.popped, l.acked) {
		return 0, fmt.Errorf("leased with %q, want %q", l.popped[len(l.popped)-len(l.acked):], l.acked)
	}
	l.out = l.ack
	return n, l.exchange(string(l.acked), 1)
}

// leaseDirectly measures that at addr, after filling the list.
func leaseDirectly(ctx context.Context, addr string) (result, error) {
	if _, err := benchmarkOf(ctx, addr, redisDepth, benchmarkEvents, "-t", "lpush"); err != nil {
		return result{}, err
	}
	clients, err := dialAll(addr, redisConnections, 0)
	if err != nil {
		return result{}, err
	}
	defer closeAll(clients)
	leasers := make([]leaser, len(clients))
	for i, c := range clients {
		leasers[i] = newLeaser(c, redisDepth)
	}
	return load(leasers, time.Minute, func(l leaser) (int, error) { return l.lease(redisDepth) })
}
