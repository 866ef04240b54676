package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// move carries out a move between two partitions, most often of two queues: in one call of the script, for which both
// must be in one Redis. In a Cluster they are in two slots.
func (e *Engine) move(ctx context.Context, op *engine.Op) {
	from := run{queue: string(op.Queue), partition: partitionOf(op.ID, e.partitions)}
	to := run{queue: string(op.To), partition: partitionOf(op.NewID, e.partitions)}
	from.add(part{op: op})
	to.add(part{op: op})
	if err := e.names.used(ctx, []run{from, to}); err != nil {
		op.Err = err
		return
	}
	if e.cluster {
		e.moveAcross(ctx, op, from, to)
	} else {
		c := from.call(groups(from.parts))
		c.to = keys(to.queue, to.partition)
		if e.replicas > 0 {
			c.sync()
		}
		e.finish(from, groups(from.parts), e.script.exec(ctx, []call{c}, e.replicas)[0])
	}
	if op.Err != nil {
		op.Result = engine.Result{Err: op.Err}
	}
}

// claimFor is how long a move to another slot has the event for itself. If it is not done by then, the event is ready
// where it was.
const claimFor = 30 * time.Second

// moveAcross moves an event to another slot in three steps: it leases it, pushes it there, and removes it here. A crash
// before the last leaves both, never none, and the one here ready once the lease ends. Nobody else moves or removes
// the event meanwhile without that lease being lost.
func (e *Engine) moveAcross(ctx context.Context, op *engine.Op, from, to run) {
	here, errHere := e.one(ctx, from, "find", string(op.ID)).ToArray()
	there, errThere := e.one(ctx, to, "find", string(op.NewID)).ToArray()
	switch {
	case errHere != nil || errThere != nil:
		op.Err = errors.Join(errHere, errThere)
		return
	case len(here) == 0: // perhaps moved before, by a command whose answer was lost
		return
	case len(there) > 0:
		op.Err = engine.ErrDuplicate
		return
	}
	claimed, err := e.one(ctx, from, "claim", string(op.ID), string(op.Token), millis(claimFor)).ToArray()
	if err != nil || len(claimed) == 0 {
		op.Err = err
		return
	}
	if len(claimed) != 3 {
		op.Err = errReply
		return
	}
	contents, _ := claimed[0].AsBytes()
	token, _ := claimed[1].ToString()
	delayed, _ := claimed[2].AsInt64()
	push := engine.Op{Kind: engine.Push, ID: op.NewID, Contents: op.Contents, Delay: op.Delay}
	if op.Keep {
		push.Contents = contents
	}
	to = run{queue: to.queue, partition: to.partition}
	to.add(part{op: &push})
	e.execRuns(ctx, []run{to}, new(leases))
	if push.Err != nil && !errors.Is(push.Err, engine.ErrDuplicate) && !errors.Is(push.Err, engine.ErrDiskFull) {
		// It may have been carried out. IMPORTANT: then the claim must not be given up, or both would be there for good.
		there, err := e.one(ctx, to, "find", string(op.NewID)).ToArray()
		if err != nil {
			op.Err = errors.Join(push.Err, err) // until the claim ends
			return
		}
		if len(there) > 0 {
			push.Err = nil
		}
	}
	if push.Err != nil {
		op.Err = push.Err
		e.one(ctx, from, "redo", string(op.ID), token, strconv.FormatInt(delayed, 10), "1") // or else the lease's end
		return
	}
	op.OK = true
	e.one(ctx, from, "finish", "1", string(op.ID), token) // a failure leaves both
}

// one carries out one op of the script.
func (e *Engine) one(ctx context.Context, r run, args ...string) reply {
	c := newCall(r.queue, r.partition)
	c.args = append(c.args, args...)
	if e.replicas > 0 {
		c.sync()
	}
	a := e.script.exec(ctx, []call{c}, e.replicas)[0]
	if a.err == nil && len(a.results) != 1 {
		a.err = errReply
	}
	if a.err != nil {
		return reply{err: fmt.Errorf("redis: %w", a.err)}
	}
	return reply{msg: a.results[0]}
}

// reply is an op's result.
type reply struct {
	msg rueidis.RedisMessage
	err error
}

func (r reply) ToArray() ([]rueidis.RedisMessage, error) {
	if r.err != nil {
		return nil, r.err
	}
	return r.msg.ToArray()
}
