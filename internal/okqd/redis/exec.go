package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

const (
	// A run of the script holds up everybody, so one is given this much to do at most.
	maxRunOps   = 128
	maxRunBytes = 1 << 20
	// maxPops is how many ops of one Exec may give contents back, so that the answer is bounded.
	maxPops = 16
	// leaseSlack is added to every lease, for the time until the consumer knows of it.
	leaseSlack = 100 * time.Millisecond
)

// run is consecutive ops on the same queue, which are one call of the script.
type run struct {
	call
	ops []*engine.Op // in the order of the results
}

// Exec implements engine.Engine. What is done to one queue is atomic; between ops on different queues others may come.
func (e *Engine) Exec(ctx context.Context, ops []engine.Op, budget int) int {
	runs, done := e.plan(ctx, ops, budget/maxPops)
	if len(runs) == 0 {
		return done
	}
	e.names.used(ctx, runs)
	calls := make([]call, len(runs))
	for i := range runs {
		calls[i] = runs[i].call
	}
	results := e.script.exec(ctx, e.client, calls)
	err := e.replicated(ctx)
	for i, r := range runs {
		e.finish(ctx, r, results[i], err)
	}
	return done
}

// plan groups ops into runs, as many ops as may be done at once.
func (e *Engine) plan(ctx context.Context, ops []engine.Op, room int) (runs []run, done int) {
	pops, size := 0, 0
	for done < len(ops) && pops < maxPops {
		op := &ops[done]
		done++
		if op.Kind == engine.None {
			continue
		}
		if op.Kind == engine.Pop || op.Kind == engine.Peek || op.Kind == engine.Find {
			pops++
		}
		for _, queue := range e.queuesOf(ctx, op) {
			last := len(runs) - 1
			if last < 0 || runs[last].queue != queue || len(runs[last].ops) >= maxRunOps || size > maxRunBytes {
				runs = append(runs, run{call: call{queue, []string{wakeChannel, queue}}})
				last++
				size = 0
			}
			runs[last].ops = append(runs[last].ops, op)
			runs[last].args = appendOp(runs[last].args, op, room)
			size += len(op.Contents)
		}
	}
	return runs, done
}

// queuesOf returns the queues that an op is about: all of them for a Status without names.
func (e *Engine) queuesOf(ctx context.Context, op *engine.Op) []string {
	if op.Kind != engine.Status {
		return []string{string(op.Queue)}
	}
	if op.Queues == nil {
		names, err := e.names.all(ctx)
		op.Err = err
		return names
	}
	names := make([]string, len(op.Queues))
	for i, q := range op.Queues {
		names[i] = string(q)
	}
	return names
}

// appendOp adds an op to the script's arguments.
func appendOp(args []string, op *engine.Op, room int) []string {
	switch op.Kind {
	case engine.Push:
		return append(args, "push", rueidis.BinaryString(op.ID), rueidis.BinaryString(op.Contents), millis(op.Delay), flag(op.Front))
	case engine.Peek:
		return append(args, "peek", flag(op.Front))
	case engine.Find:
		return append(args, "find", rueidis.BinaryString(op.ID))
	case engine.Pop:
		return append(args, "pop", strconv.Itoa(max(op.Count, 1)), lease(op.Lease), strconv.Itoa(room))
	case engine.Ack:
		if op.Redo {
			return append(args, "redo", rueidis.BinaryString(op.ID), millis(op.Delay))
		}
		return append(args, "ack", rueidis.BinaryString(op.ID))
	case engine.Touch:
		return append(args, "touch", rueidis.BinaryString(op.ID), lease(op.Lease))
	case engine.Flush:
		return append(args, "flush")
	default:
		return append(args, "status")
	}
}

// millis rounds up: nothing comes back too early.
func millis(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}

func lease(d time.Duration) string {
	if d > 0 {
		d += leaseSlack
	}
	return millis(d)
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
