package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// finish puts a run's results into its ops.
func (e *Engine) finish(r run, a answer) {
	if a.err == nil && len(a.results) != len(r.parts) {
		a.err = errReply
	}
	if a.err != nil {
		r.fail(fmt.Errorf("redis: %w", a.err))
		return
	}
	for i, p := range r.parts {
		if err := p.fill(a.results[i]); err != nil {
			p.op.Err = err
		}
	}
	if a.left > 0 {
		e.wakes.wakeOne(r.queue)
	}
}

// settle makes of the partitions' shares what the op asked for.
func (e *Engine) settle(ctx context.Context, op *engine.Op) {
	switch {
	case op.Err != nil:
		op.Result = engine.Result{Err: op.Err}
	case op.Kind == engine.Peek && len(op.Events) > 1:
		op.Events = op.Events[:1]
	case op.Kind == engine.Status && op.Queues == nil:
		op.Rows = slices.DeleteFunc(op.Rows, func(row engine.Row) bool {
			empty := row.Total() == 0 && row.Consumers == 0
			if empty {
				e.names.prune(ctx, row.Queue)
			}
			return empty
		})
	}
}

// fill reads one result.
func (p part) fill(reply rueidis.RedisMessage) error {
	switch p.op.Kind {
	case engine.Push:
		return fillPush(p.op, reply)
	case engine.Peek, engine.Pop:
		return fillEvents(p.op, reply)
	case engine.Find:
		return fillFound(p.op, reply)
	case engine.Status:
		return fillRow(&p.op.Rows[p.row], reply)
	default:
		n, err := reply.AsInt64()
		p.op.OK = n == 1
		return err
	}
}

func fillPush(op *engine.Op, reply rueidis.RedisMessage) error {
	if refusal, err := reply.ToString(); err == nil {
		if strings.Contains(refusal, "OOM") {
			return engine.ErrDiskFull
		}
		return errors.New(refusal)
	}
	n, err := reply.AsInt64()
	if err == nil && n == 0 {
		return engine.ErrDuplicate
	}
	return err
}

// fillEvents reads a peek's pair or a pop's triples.
func fillEvents(op *engine.Op, reply rueidis.RedisMessage) error {
	fields, err := reply.ToArray()
	if err != nil {
		return err
	}
	width := 3
	if op.Kind == engine.Peek {
		width = 2
	}
	if len(fields)%width != 0 {
		return errReply
	}
	for ; len(fields) > 0; fields = fields[width:] {
		var ev engine.Event
		if ev.ID, err = fields[0].AsBytes(); err != nil {
			return err
		}
		if ev.Contents, err = fields[1].AsBytes(); err != nil {
			return err
		}
		if width == 3 {
			n, err := fields[2].AsInt64()
			if err != nil {
				return err
			}
			ev.Deliveries = int(n)
		}
		op.Events = append(op.Events, ev)
	}
	return nil
}

// fillFound reads a find's state, contents, deliveries and milliseconds.
func fillFound(op *engine.Op, reply rueidis.RedisMessage) error {
	fields, err := reply.ToArray()
	if err != nil || len(fields) == 0 {
		return err
	}
	if len(fields) != 4 {
		return errReply
	}
	var numbers [3]int64
	for i, field := range [...]rueidis.RedisMessage{fields[0], fields[2], fields[3]} {
		if numbers[i], err = field.AsInt64(); err != nil {
			return err
		}
	}
	contents, err := fields[1].AsBytes()
	op.Found = engine.Found{State: engine.State(numbers[0]), Due: time.Duration(numbers[2]) * time.Millisecond}
	op.Events = []engine.Event{{ID: op.ID, Contents: contents, Deliveries: int(numbers[1])}}
	return err
}

// fillRow adds one partition's counts.
func fillRow(row *engine.Row, reply rueidis.RedisMessage) error {
	n, err := reply.AsIntSlice()
	if err != nil {
		return err
	}
	if len(n) != 5 {
		return errReply
	}
	row.Ready += int(n[0])
	row.Leased += int(n[1])
	row.Delayed += int(n[2])
	row.Consumers += int(n[3])
	row.OldestReady = max(row.OldestReady, time.Duration(n[4])*time.Millisecond)
	return nil
}
