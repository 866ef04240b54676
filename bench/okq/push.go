package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/levenlabs/postmaster/bench/internal/process"
	"github.com/levenlabs/postmaster/bench/internal/report"
)

// popCount is how many events are popped at once, and acked in one write.
const popCount = 64

// push measures the local engine: durable pushes, one at a time on each connection, and then taking them out again.
func (b *bench) push(ctx context.Context) error {
	okqd, err := b.okqd("push")
	if err != nil {
		return err
	}
	defer okqd.Stop()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bare, err := process.Start("", self, "-yardstick", filepath.Join(b.dir, "bare"))
	if err != nil {
		return err
	}
	defer bare.Stop()
	t := newTable("local engine, 1 KiB\trate\tp50\tp99\tagainst\trate\tp50\tp99\tratio\ttarget\t")
	for queue, connections := range []int{1, 4, 16, 64, 256} {
		turns, err := b.pushTurns(ctx, okqd, bare, connections, queue)
		if err != nil {
			return err
		}
		ours, theirs, pops := median(turns.ours), median(turns.theirs), median(turns.pops)
		name := fmt.Sprintf("push, %d connections", connections)
		ratio := ours.Rate() / theirs.Rate()
		if err := plotPush(connections, ours, theirs); err != nil {
			return err
		}
		if connections < 64 {
			t.line(name, ours, "append and fdatasync", theirs, fmt.Sprintf("%.2f", ratio))
			continue
		}
		t.line(name, ours, "append and fdatasync", theirs, least(ratio, 0.7))
		err = targets(
			target{name + ", okqd's disk", turns.ours, "append and fdatasync in groups", turns.theirs, 0.7, report.Noise},
			target{fmt.Sprintf("pop %d and ack, %d connections, okqd's disk", popCount, connections), turns.pops, "push", turns.ours, 1, report.Noise},
		)
		if err != nil {
			return err
		}
		t.line(fmt.Sprintf("pop %d and ack, %d connections", popCount, connections), pops, "push", ours, least(pops.Rate()/ours.Rate(), 1))
	}
	return t.Flush()
}

func plotPush(connections int, ours, theirs result) error {
	for _, of := range []struct {
		name string
		r    result
	}{{"okqd", ours}, {"append and fdatasync in groups", theirs}} {
		if err := report.AddPoint(report.PlotPush, of.name, float64(connections), of.r.Rate()); err != nil {
			return err
		}
		if err := report.AddPoint(report.PlotPushP99, of.name, float64(connections), float64(of.r.p99.Microseconds())/1000); err != nil {
			return err
		}
	}
	return nil
}

// pushed is turns of pushes, ours and the yardstick's, and of pops and acks.
type pushed struct{ ours, theirs, pops []result }

func (b *bench) pushTurns(ctx context.Context, okqd, bare *process.Process, connections, queue int) (p pushed, err error) {
	mine, err := dialAll(okqd.Addr, connections, queue)
	if err != nil {
		return
	}
	defer closeAll(mine)
	other, err := dialAll(bare.Addr, connections, queue)
	if err != nil {
		return
	}
	defer closeAll(other)
	pushOne := func(c *client) (int, error) { return c.push(1) }
	popAck := func(c *client) (int, error) { return c.popAck(popCount) }
	for range b.rounds {
		for _, run := range []struct {
			clients []*client
			step    func(*client) (int, error)
			turns   *[]result
		}{{other, pushOne, &p.theirs}, {mine, pushOne, &p.ours}, {mine, popAck, &p.pops}} {
			r, err := load(run.clients, b.turn, run.step)
			if err != nil {
				return p, err
			}
			*run.turns = append(*run.turns, r)
			if err := ctx.Err(); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}
