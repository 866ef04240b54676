package redis

import (
	"context"
	"slices"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// maxPops is how many ops of one Exec may give contents back, so that the answer is bounded.
const maxPops = 16

// Exec implements engine.Engine. What is done to one partition of a queue is atomic; between ops on different ones
// others may come.
func (e *Engine) Exec(ctx context.Context, ops []engine.Op, room *engine.Room) int {
	ops = ops[:within(ops)]
	stillIn := e.members.stillIn
	if looksOnly(ops) {
		stillIn = func(context.Context) error { return e.members.refused() }
	}
	if err := stillIn(ctx); err != nil {
		fail(ops, err)
		return len(ops)
	}
	e.guard.refusePushes(ops)
	share := room.Budget / maxPops
	var begun leases
	for rest := ops; len(rest) > 0; {
		n := e.stage(rest)
		switch {
		case rest[0].Kind == engine.Move:
			e.move(ctx, &rest[0])
		case rest[0].Kind == engine.Status:
			e.status(ctx, rest[:n])
		case e.spread(rest[0].Kind):
			e.popAny(ctx, rest[:n], share, &begun)
		default:
			e.execStage(ctx, rest[:n], share, &begun)
		}
		rest = rest[n:]
	}
	e.renew(ctx, begun)
	return len(ops)
}

// within returns how many ops may be done at once.
func within(ops []engine.Op) int {
	pops := 0
	for i, op := range ops {
		if op.Kind == engine.Pop || op.Kind == engine.Peek || op.Kind == engine.Find {
			pops++
		}
		if pops == maxPops {
			return i + 1
		}
	}
	return len(ops)
}

// spread tells whether it is up to us which partition such an op goes to.
func (e *Engine) spread(k engine.Kind) bool { return e.partitions > 1 && k == engine.Pop }

// stage returns how many ops may go to Redis without waiting for each other: what is done to one partition stays in
// order, but a pop must find what was pushed before it, whichever partition it looks at. A move, which is about two of them,
// goes alone, and so do looks at how queues stand, which are not waited for long.
func (e *Engine) stage(ops []engine.Op) int {
	if ops[0].Kind == engine.Move {
		return 1
	}
	pops, looks := e.spread(ops[0].Kind), ops[0].Kind == engine.Status
	next := slices.IndexFunc(ops, func(op engine.Op) bool {
		return e.spread(op.Kind) != pops || (op.Kind == engine.Status) != looks || op.Kind == engine.Move
	})
	if next < 0 {
		return len(ops)
	}
	return next
}

func (e *Engine) execStage(ctx context.Context, ops []engine.Op, room int, begun *leases) {
	p := e.newPlan(room)
	for i := range ops {
		p.add(ctx, &ops[i])
	}
	e.execRuns(ctx, p.runs, begun)
	for i := range ops {
		e.settle(ctx, &ops[i])
	}
}

// execRuns carries out runs, and notes the leases that they began.
func (e *Engine) execRuns(ctx context.Context, runs []run, begun *leases) {
	if len(runs) == 0 {
		return
	}
	if err := e.names.used(ctx, runs); err != nil {
		for _, r := range runs {
			r.fail(err)
		}
		return
	}
	calls, asked := make([]call, len(runs)), make([][]group, len(runs))
	for i := range runs {
		asked[i] = groups(runs[i].parts)
		calls[i] = runs[i].call(asked[i])
		if e.replicas > 0 && runs[i].asserts() {
			calls[i].sync()
		}
	}
	for i, a := range e.script.exec(ctx, calls, e.replicas) {
		e.finish(runs[i], asked[i], a)
		begun.add(&runs[i], a.sent)
	}
}

func fail(ops []engine.Op, err error) {
	for i := range ops {
		if ops[i].Kind != engine.None {
			ops[i].Err = err
		}
	}
}
