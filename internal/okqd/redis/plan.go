package redis

import (
	"context"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

const (
	// A run of the script holds up everybody, so one is given this much to do at most.
	maxRunOps   = 128
	maxRunBytes = 1 << 20
	// leaseSlack is added to every lease, for the time until the consumer knows of it.
	leaseSlack = 100 * time.Millisecond
)

// run is what is asked of one partition in one call of the script.
type run struct {
	call
	parts []part // in the order of the results
	size  int
}

// part is one partition's share of an op.
type part struct {
	op  *engine.Op
	row int // Status: which of op.Rows
}

func (r *run) add(p part, room int) {
	r.parts = append(r.parts, p)
	r.args = appendOp(r.args, p.op, room)
	r.size += len(p.op.Contents)
}

func (r *run) full() bool { return len(r.parts) >= maxRunOps || r.size > maxRunBytes }

func (r *run) fail(err error) {
	for _, p := range r.parts {
		p.op.Err = err
	}
}

// plan groups ops into runs: consecutive ones on the same queue, partition by partition.
type plan struct {
	e    *Engine
	room int // for the contents that one op gives back
	runs []run
	last string
	open map[int]int // of queue last: partition → the run that takes more
}

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
		p.everywhere(row.Queue, part{op, i})
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
		p.runs = append(p.runs, run{call: newCall(queue, partition)})
		p.open[partition] = at
	}
	p.runs[at].add(share, p.room)
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

// appendOp adds an op to the script's arguments. IMPORTANT: they are copies. The op's bytes are the connection's read
// buffer, and when a connection to Redis is lost, rueidis may answer before it is done with a command's arguments.
func appendOp(args []string, op *engine.Op, room int) []string {
	switch op.Kind {
	case engine.Push:
		return append(args, "push", string(op.ID), string(op.Contents), millis(op.Delay), flag(op.Front))
	case engine.Peek:
		return append(args, "peek", flag(op.Front))
	case engine.Find:
		return append(args, "find", string(op.ID))
	case engine.Pop:
		return append(args, "pop", strconv.Itoa(max(op.Count, 1)), lease(op.Lease), strconv.Itoa(room))
	case engine.Ack:
		if op.Redo {
			return append(args, "redo", string(op.ID), millis(op.Delay), flag(op.Release))
		}
		return append(args, "ack", string(op.ID))
	case engine.Touch:
		return append(args, "touch", string(op.ID), lease(op.Lease))
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
