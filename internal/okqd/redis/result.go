package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

var errReply = errors.New("the script's reply is not what it should be")

// finish puts a run's results into its ops. replicas is what they are worth: an error if too few replicas have them.
func (e *Engine) finish(ctx context.Context, r run, result rueidis.RedisResult, replicas error) {
	replies, err := result.ToArray()
	if err == nil {
		err = replicas
	}
	if err == nil && len(replies) != len(r.ops)+1 {
		err = errReply
	}
	if err != nil {
		for _, op := range r.ops {
			op.Err = fmt.Errorf("redis: %w", err)
		}
		return
	}
	for i, op := range r.ops {
		rows := len(op.Rows)
		if err := fill(op, r.queue, replies[i]); err != nil {
			op.Err = err
		} else if op.Kind == engine.Status && op.Queues == nil && len(op.Rows) == rows {
			e.names.prune(ctx, r.queue) // it was found empty
		}
	}
	if left, err := replies[len(r.ops)].AsInt64(); err == nil && left > 0 {
		e.wakes.wakeOne(r.queue)
	}
}

// fill reads one op's result.
func fill(op *engine.Op, queue string, reply rueidis.RedisMessage) error {
	switch op.Kind {
	case engine.Push:
		return fillPush(op, reply)
	case engine.Peek, engine.Pop:
		return fillEvents(op, reply)
	case engine.Find:
		return fillFound(op, reply)
	case engine.Status:
		return fillRow(op, queue, reply)
	default:
		n, err := reply.AsInt64()
		op.OK = n == 1
		return err
	}
}

func fillPush(op *engine.Op, reply rueidis.RedisMessage) error {
	if refusal, err := reply.ToString(); err == nil {
		if strings.HasPrefix(refusal, "OOM") {
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

func fillRow(op *engine.Op, queue string, reply rueidis.RedisMessage) error {
	n, err := reply.AsIntSlice()
	if err != nil {
		return err
	}
	if len(n) != 5 {
		return errReply
	}
	row := engine.Row{
		Queue: queue, Ready: int(n[0]), Leased: int(n[1]), Delayed: int(n[2]), Consumers: int(n[3]),
		OldestReady: time.Duration(n[4]) * time.Millisecond,
	}
	if op.Queues != nil || row.Total() > 0 || row.Consumers > 0 {
		op.Rows = append(op.Rows, row)
	}
	return nil
}
