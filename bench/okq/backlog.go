package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
	"github.com/levenlabs/postmaster/bench/internal/report"
)

const (
	fillers    = 16 // connections that fill a queue
	fillDepth  = 64 // pushes in one write of theirs
	few        = 1000
	cyclers    = 64
	cycleDepth = 16
)

// fill pushes n events.
func fill(addr string, queue, n int) error {
	clients, err := dialAll(addr, fillers, queue)
	if err != nil {
		return err
	}
	defer closeAll(clients)
	errs := make(chan error, fillers)
	for i, c := range clients {
		go func() {
			for left := (n + i) / fillers; left > 0; left -= min(left, fillDepth) {
				if _, err := c.push(min(left, fillDepth)); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range fillers {
		err = cmp.Or(err, <-errs)
	}
	return err
}

// backlog measures the local engine with many events queued: what a push, pop and ack costs, memory, and a restart.
func (b *bench) backlog(ctx context.Context) error {
	okqd, err := b.okqd("backlog")
	if err != nil {
		return err
	}
	defer func() { okqd.Stop() }()
	t := newTable(fmt.Sprintf("local engine, %d queued\trate\tp50\tp99\tagainst\trate\tp50\tp99\tratio\ttarget\t", b.many))
	took, err := b.backlogTurns(ctx, t, okqd)
	if err != nil {
		return err
	}
	memory, err := okqd.ResidentMiB()
	if err != nil {
		return err
	}
	okqd.Stop()
	begin := time.Now()
	if okqd, err = b.okqd("backlog"); err != nil {
		return err
	}
	start := time.Since(begin)
	restarted, err := okqd.ResidentMiB()
	if err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Printf("filled in %v, %.0f MiB resident then; a restart takes %v, %.0f MiB resident after it\n",
		took.Round(time.Millisecond), memory, start.Round(time.Millisecond), restarted)
	return nil
}

// backlogTurns has a server of its own for the short queue, so that none of the long one's memory is in its way.
func (b *bench) backlogTurns(ctx context.Context, t table, okqd *process.Process) (took time.Duration, err error) {
	small, err := b.okqd("small")
	if err != nil {
		return 0, err
	}
	defer small.Stop()
	return b.compareBacklogs(ctx, t, "local engine", okqd.Addr, small.Addr, 1, 2)
}

// compareBacklogs works in turns on a queue that gets longer, and on one with few events. It returns how long filling took.
func (b *bench) compareBacklogs(ctx context.Context, t table, engine, longAddr, shortAddr string, long, brief int) (took time.Duration, err error) {
	if err := fill(shortAddr, brief, few); err != nil {
		return 0, err
	}
	queued := 0
	for _, n := range []int{few, b.many / 100, b.many / 10, b.many} {
		begin := time.Now()
		if err := fill(longAddr, long, n-queued); err != nil {
			return took, err
		}
		took += time.Since(begin)
		queued = n
		a, z, err := b.cycleTurns(ctx, longAddr, shortAddr, long, brief)
		if err != nil {
			return took, err
		}
		if err := report.AddPoint(report.PlotBacklog, engine, float64(n), 1e6/z.Rate()); err != nil {
			return took, err
		}
		if n < b.many {
			continue
		}
		ratio := a.Rate() / z.Rate()
		t.line(fmt.Sprintf("push, pop %d, ack; %d connections", cycleDepth, cyclers), z, fmt.Sprintf("%d queued", few), a, most(ratio, 1.2))
		err = report.Add(report.Line{
			What: fmt.Sprintf("%s, cost of an event with %d queued", engine, n), Value: fmt.Sprintf("%.1f µs", 1e6/z.Rate()),
			Against: fmt.Sprintf("%d queued: %.1f µs", few, 1e6/a.Rate()), Ratio: fmt.Sprintf("%.2f", ratio), Target: "<= 1.2", Met: ratio <= 1.2,
			Why: report.Noise,
		})
		if err != nil {
			return took, err
		}
	}
	return took, nil
}

// cycleTurns has the two queues be worked on in turns.
func (b *bench) cycleTurns(ctx context.Context, longAddr, shortAddr string, long, brief int) (few, many result, err error) {
	longClients, err := dialAll(longAddr, cyclers, long)
	if err != nil {
		return few, many, err
	}
	defer closeAll(longClients)
	briefClients, err := dialAll(shortAddr, cyclers, brief)
	if err != nil {
		return few, many, err
	}
	defer closeAll(briefClients)
	cycle := func(c *client) (int, error) { return c.cycle(cycleDepth) }
	var turns [2][]result
	for range b.rounds {
		for i, clients := range [][]*client{briefClients, longClients} {
			r, err := load(clients, b.turn, cycle)
			if err != nil {
				return few, many, err
			}
			turns[i] = append(turns[i], r)
		}
		if err := ctx.Err(); err != nil {
			return few, many, err
		}
	}
	return median(turns[0]), median(turns[1]), nil
}

// leased measures memory with 100,000 events queued, and acks while they are leased.
func (b *bench) leased(ctx context.Context) error {
	const n = 100_000
	okqd, err := b.okqd("leased")
	if err != nil {
		return err
	}
	defer okqd.Stop()
	if err := fill(okqd.Addr, 1, n); err != nil {
		return err
	}
	memory, err := okqd.ResidentMiB()
	if err != nil {
		return err
	}
	if err := fill(okqd.Addr, 2, 16); err != nil {
		return err
	}
	many, err := leaseAll(okqd.Addr, 1, n)
	if err != nil {
		return err
	}
	defer many.nc.Close()
	ten, err := leaseAll(okqd.Addr, 2, 10)
	if err != nil {
		return err
	}
	defer ten.nc.Close()
	var took [2][]time.Duration
	for end := time.Now().Add(time.Duration(b.rounds) * b.turn); time.Now().Before(end) && ctx.Err() == nil; {
		for i, c := range []*client{many, ten} {
			d, err := timedAck(c)
			if err != nil {
				return err
			}
			took[i] = append(took[i], d)
		}
	}
	t := newTable("local engine\tp50\tp99\tagainst\tp50\tp99\tratio\ttarget\t")
	m50, m99 := quantiles(took[0])
	t50, t99 := quantiles(took[1])
	t.line(fmt.Sprintf("%d acks, %d leased", cycleDepth, n), short(m50), short(m99), "10 leased", short(t50), short(t99), most(float64(m50)/float64(t50), 1.2))
	if err := atMost(fmt.Sprintf("%d acks with %d leased, against 10 leased", cycleDepth, n), " x", float64(m50)/float64(t50), 1.2, report.Noise); err != nil {
		return err
	}
	if err := atMost(fmt.Sprintf("okqd's memory with %d events of 1 KiB queued", n), " MiB", memory, 150, report.Noise); err != nil {
		return err
	}
	t.line("", "", "", "", "", "", "MiB")
	t.line(fmt.Sprintf("resident, %d queued", n), "", "", "", "", "", most(memory, 150))
	return t.Flush()
}

// leaseAll pops n events and forgets them.
func leaseAll(addr string, queue, n int) (*client, error) {
	c, err := dial(addr, queue)
	if err != nil {
		return nil, err
	}
	for n > 0 {
		got, err := c.pop(min(n, 1000))
		if err != nil {
			return nil, err
		}
		n -= got
		c.ids = c.ids[:0]
	}
	return c, nil
}

// timedAck pushes and pops some events more, and times the acks.
func timedAck(c *client) (time.Duration, error) {
	if _, err := c.push(cycleDepth); err != nil {
		return 0, err
	}
	for len(c.ids) < cycleDepth {
		if _, err := c.pop(cycleDepth - len(c.ids)); err != nil {
			return 0, err
		}
	}
	begin := time.Now()
	_, err := c.ack()
	return time.Since(begin), err
}
