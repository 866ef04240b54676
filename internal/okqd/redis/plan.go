package redis

import (
	"context"
	"hash/fnv"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

const (
	// A run of the script holds up everybody, so one is given this much to do at most.
	maxRunOps   = 512
	maxRunBytes = 1 << 20
)

// run is what is asked of one partition in one call of the script.
type run struct {
	queue     string
	partition int
	parts     []part
	size      int
}

// part is one partition's share of an op.
type part struct {
	op   *engine.Op
	row  int // Status: which of op.Rows
	room int // for the contents that the op gives back
	// slack is added to a lease, for the time until the consumer knows of it.
	slack time.Duration
}

func (r *run) add(p part) {
	r.parts = append(r.parts, p)
	r.size += len(p.op.Contents)
}

// call is what has the script carry out groups.
func (r *run) call(groups []group) call {
	c := newCall(r.queue, r.partition)
	c.args = slices.Grow(c.args, 2*len(r.parts)+3*len(groups))
	for _, g := range groups {
		c.args = g.appendTo(c.args)
	}
	return c
}

func (r *run) full() bool { return len(r.parts) >= maxRunOps || r.size > maxRunBytes }

// asserts tells whether an answer to the run says more than how many events there are.
func (r *run) asserts() bool {
	return slices.ContainsFunc(r.parts, func(p part) bool { return p.op.Kind != engine.Status })
}

func (r *run) fail(err error) {
	for _, p := range r.parts {
		p.op.Err = err
	}
}

// plan groups ops into runs: consecutive ones on the same queue, partition by partition.
type plan struct {
	e     *Engine
	room  int           // for the contents that one op gives back
	slack time.Duration // of leases
	runs  []run
	last  string
	open  map[int]int // of queue last: partition → the run that takes more
}

func (e *Engine) newPlan(room int) plan { return plan{e: e, room: room, slack: e.slack.next()} }

func (p *plan) add(ctx context.Context, op *engine.Op) {
	switch op.Kind {
	case engine.None:
	case engine.Status:
		p.addStatus(ctx, op)
	case engine.Peek, engine.Flush:
		p.everywhere(string(op.Queue), part{op: op})
	case engine.Pop:
		p.to(string(op.Queue), 0, part{op: op})
	default:
		p.to(string(op.Queue), partitionOf(op.ID, p.e.partitions), part{op: op})
	}
}

// addStatus makes a row for each queue, of all queues for a Status without names.
func (p *plan) addStatus(ctx context.Context, op *engine.Op) {
	if op.Queues == nil {
		names, err := p.e.names.all(ctx)
		if err != nil {
			op.Err = err
			return
		}
		for _, q := range names {
			op.Rows = append(op.Rows, engine.Row{Queue: q})
		}
	}
	for _, q := range op.Queues {
		op.Rows = append(op.Rows, engine.Row{Queue: string(q)})
	}
	for i, row := range op.Rows {
		p.everywhere(row.Queue, part{op: op, row: i})
	}
}

func (p *plan) everywhere(queue string, share part) {
	for i := range p.e.partitions {
		p.to(queue, i, share)
	}
}

func (p *plan) to(queue string, partition int, share part) {
	if p.open == nil || p.last != queue {
		p.last, p.open = queue, make(map[int]int, 1)
	}
	at, ok := p.open[partition]
	if !ok || p.runs[at].full() {
		at = len(p.runs)
		p.runs = append(p.runs, run{queue: queue, partition: partition})
		p.open[partition] = at
	}
	share.room, share.slack = p.room, p.slack
	p.runs[at].add(share)
}

// partitionOf says where an event is. IMPORTANT: what is in Redis depends on it.
func partitionOf(id []byte, partitions int) int {
	if partitions == 1 {
		return 0
	}
	h := fnv.New64a()
	h.Write(id)
	return int(h.Sum64() % uint64(partitions))
}
