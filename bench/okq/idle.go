package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/report"
)

const (
	notify    = "*2\r\n$7\r\nQNOTIFY\r\n$3\r\n600\r\n"
	consumers = 1000
	idleFor   = 10 * time.Second
	wakes     = 1000
)

// idle measures 1,000 consumers that wait: their memory, their CPU, and how soon a push wakes one.
func (b *bench) idle(ctx context.Context) error {
	okqd, err := b.okqd("idle")
	if err != nil {
		return err
	}
	defer okqd.Stop()
	waiting, err := dialAll(okqd.Addr, consumers, 0)
	if err != nil {
		return err
	}
	defer closeAll(waiting)
	ready, woken := make(chan error, 2*consumers), make(chan time.Time, consumers)
	for _, c := range waiting {
		go c.await(ready, woken)
	}
	for range waiting {
		if err := <-ready; err != nil {
			return err
		}
	}
	before, err := okqd.CPU()
	if err != nil {
		return err
	}
	select {
	case <-time.After(idleFor):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := okqd.CPU()
	if err != nil {
		return err
	}
	memory, err := okqd.ResidentMiB()
	if err != nil {
		return err
	}
	took, err := wakeOnes(okqd.Addr, ready, woken)
	if err != nil {
		return err
	}
	t := newTable(fmt.Sprintf("local engine, %d consumers in QNOTIFY\tp50\tp99\tvalue\ttarget\t", consumers))
	t.line("resident, MiB", "", "", most(memory, 60))
	t.line(fmt.Sprintf("CPU in %v, ms", idleFor), "", "", fmt.Sprint((after - before).Milliseconds()))
	p50, p99 := quantiles(took)
	t.line("push to wake-up, ms", short(p50), short(p99), most(float64(p99)/float64(time.Millisecond), 5))
	if err := t.Flush(); err != nil {
		return err
	}
	why := report.Noise
	if err := atMost(fmt.Sprintf("okqd's memory with %d consumers in QNOTIFY", consumers), " MiB", memory, 60, why); err != nil {
		return err
	}
	return atMost("a push wakes a consumer in QNOTIFY, 99 of 100", " ms", float64(p99)/float64(time.Millisecond), 5, why)
}

// await waits for the queue's events and takes them, again and again, and tells when it was woken.
func (c *client) await(ready chan<- error, woken chan<- time.Time) {
	if _, err := fmt.Fprintf(c.nc, "*2\r\n$9\r\nQREGISTER\r\n$4\r\n%s\r\n", c.queue); err != nil {
		ready <- err
		return
	}
	if _, err := c.r.ReadSlice('\n'); err != nil {
		ready <- err
		return
	}
	for {
		_, err := c.nc.Write([]byte(notify))
		ready <- err
		if err != nil {
			return
		}
		if err := c.take(woken); err != nil {
			ready <- err
			return
		}
	}
}

// take returns once this client was woken and had the event.
func (c *client) take(woken chan<- time.Time) error {
	for {
		for range 2 { // length and name
			if _, err := c.r.ReadSlice('\n'); err != nil {
				return err
			}
		}
		at := time.Now()
		n, err := c.pop(1)
		if err != nil {
			return err
		}
		if n == 1 {
			woken <- at
			_, err := c.ack()
			return err
		}
		// Another was quicker: when the first to be woken takes its time, the next is woken too.
		if _, err := c.nc.Write([]byte(notify)); err != nil {
			return err
		}
	}
}

// wakeOnes pushes one event at a time, and waits until whoever was woken waits again.
func wakeOnes(addr string, ready <-chan error, woken <-chan time.Time) ([]time.Duration, error) {
	c, err := dial(addr, 0)
	if err != nil {
		return nil, err
	}
	defer c.nc.Close()
	took := make([]time.Duration, wakes)
	for i := range took {
		begin := time.Now()
		if _, err := c.push(1); err != nil {
			return nil, err
		}
		select {
		case at := <-woken:
			took[i] = at.Sub(begin)
		case <-time.After(10 * time.Second):
			return nil, errors.New("nobody woke")
		}
		if err := <-ready; err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(rand.IntN(int(3 * time.Millisecond)))) // not in step with anything
	}
	return took, nil
}
