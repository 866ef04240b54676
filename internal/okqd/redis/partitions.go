package redis

import (
	"context"
	"math/rand/v2"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// popAny carries out pops, each at one partition that has events. They begin at partitions in turn, the first one by
// chance, so that none is left behind however many okqd there are.
func (e *Engine) popAny(ctx context.Context, ops []engine.Op, room int, begun *leases) {
	first := rand.IntN(e.partitions)
	p := e.newPlan(room)
	for i := range ops {
		p.to(string(ops[i].Queue), (first+i)%e.partitions, part{op: &ops[i]})
	}
	e.execRuns(ctx, p.runs, begun)
	for i := range ops {
		if op := &ops[i]; op.Err == nil && len(op.Events) == 0 {
			e.popElsewhere(ctx, op, (first+i)%e.partitions, room, begun)
		}
	}
}

// popElsewhere is for a pop that found partition tried empty.
func (e *Engine) popElsewhere(ctx context.Context, op *engine.Op, tried, room int, begun *leases) {
	left, err := e.leftIn(ctx, []string{string(op.Queue)})
	if err != nil {
		op.Err = err
		return
	}
	for i := 1; i < e.partitions && op.Err == nil && len(op.Events) == 0; i++ {
		partition := (tried + i) % e.partitions
		if left[partition] == 0 {
			continue
		}
		p := e.newPlan(room)
		p.to(string(op.Queue), partition, part{op: op})
		e.execRuns(ctx, p.runs, begun)
	}
}

// emptyIn tells whether no queue has an event in any of so many partitions.
func (e *Engine) emptyIn(ctx context.Context, partitions int) (bool, error) {
	other := newEngine(e.client, e.log, partitions)
	ops := []engine.Op{{Kind: engine.Status}}
	other.execStage(ctx, ops, 0, new(leases))
	for _, row := range ops[0].Rows {
		if row.Total() > 0 {
			return false, nil
		}
	}
	return true, ops[0].Err
}
