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

// finish puts a run's results, one of each group, into its ops.
func (e *Engine) finish(r run, asked []group, a answer) {
	if a.err == nil && len(a.results) != len(asked) {
		a.err = errReply
	}
	if a.err != nil {
		r.fail(fmt.Errorf("redis: %w", a.err))
		return
	}
	for i, g := range asked {
		g.fill(a.results[i])
	}
	if a.left > 0 {
		e.wakes.wakeOne(r.queue)
	}
}

// fill reads the group's result. That of pushes or acks is their number if all of them are as usual, else an array.
func (g group) fill(reply rueidis.RedisMessage) {
	if together(g[0].op) == 1 {
		if err := g[0].fill(reply); err != nil { // and not another partition's
			g[0].op.Err = err
		}
		return
	}
	if n, err := reply.AsInt64(); err == nil && n == int64(len(g)) {
		for _, p := range g {
			p.op.OK = true
		}
		return
	}
	results, err := reply.ToArray()
	if err == nil && len(results) != len(g) {
		err = errReply
	}
	for i, p := range g {
		if p.op.Err = err; err == nil {
			p.op.Err = p.fill(results[i])
		}
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
	case engine.Move, engine.Replace:
		return fillMove(p.op, reply)
	case engine.Peek:
		return fillPeek(p.op, reply)
	case engine.Pop:
		return fillPop(p.op, reply)
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

// refused is why Redis does not take contents.
func refused(text string) error {
	if strings.Contains(text, "OOM") {
		return engine.ErrDiskFull
	}
	return errors.New(text)
}

func fillPush(op *engine.Op, reply rueidis.RedisMessage) error {
	if refusal, err := reply.ToString(); err == nil {
		return refused(refusal)
	}
	n, err := reply.AsInt64()
	if err == nil && n == 0 {
		return engine.ErrDuplicate
	}
	return err
}

// fillMove reads a number, or why Redis refuses the contents.
func fillMove(op *engine.Op, reply rueidis.RedisMessage) error {
	if refusal, err := reply.ToString(); err == nil {
		return refused(refusal)
	}
	n, err := reply.AsInt64()
	op.OK = n == 1
	if err == nil && n < 0 {
		return engine.ErrDuplicate
	}
	return err
}

// fillPeek reads an id and contents.
func fillPeek(op *engine.Op, reply rueidis.RedisMessage) error {
	fields, err := reply.ToArray()
	if err != nil || len(fields) == 0 {
		return err
	}
	if len(fields) != 2 {
		return errReply
	}
	var ev engine.Event
	if ev.ID, err = fields[0].AsBytes(); err != nil {
		return err
	}
	ev.Contents, err = fields[1].AsBytes()
	op.Events = append(op.Events, ev)
	return err
}

// fillPop reads ids, contents, how often the first of them were delivered before, and the leases' token.
func fillPop(op *engine.Op, reply rueidis.RedisMessage) error {
	fields, err := reply.ToArray()
	if err != nil || len(fields) == 0 {
		return err
	}
	var lists [3][]rueidis.RedisMessage
	if len(fields) != len(lists)+1 {
		return errReply
	}
	for i := range lists {
		if lists[i], err = fields[i].ToArray(); err != nil {
			return err
		}
	}
	ids, contents, before := lists[0], lists[1], lists[2]
	token, err := fields[len(lists)].ToString()
	if err != nil || len(contents) != len(ids) || len(before) > len(ids) {
		return errReply
	}
	events := make([]engine.Event, len(ids))
	for i := range events {
		ev := &events[i]
		ev.Deliveries, ev.Token = 1, token
		if ev.ID, err = ids[i].AsBytes(); err != nil {
			return err
		}
		if ev.Contents, err = contents[i].AsBytes(); err != nil {
			return err
		}
		if i < len(before) {
			n, err := before[i].AsInt64()
			if err != nil {
				return err
			}
			ev.Deliveries += int(n)
		}
	}
	op.Events = events
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
