package okqd

import (
	"context"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/resp"
)

// pipeline is the commands taken and not answered yet.
type pipeline struct {
	ops     []engine.Op
	replies []replyFunc // to each op, if it has no error
	room    engine.Room // its buffer is free once the replies are flushed
}

type replyFunc func(*resp.Writer, *engine.Op)

const (
	// execBudget is how many bytes of contents the engine may give back at once.
	execBudget = 1 << 20
	// flushSize is when replies are written although more will follow.
	flushSize = 256 << 10
	// flushAfter is the same for the time that the engine took: a lease is told late by as much as its reply waits.
	flushAfter = 5 * time.Millisecond
)

var pipelines = sync.Pool{New: func() any { return &pipeline{room: engine.Room{Budget: execBudget}} }}

// later is where commands go whose turn has not come.
func (c *conn) later() *pipeline {
	if c.pipeline == nil {
		c.pipeline = pipelines.Get().(*pipeline)
		c.pipeline.room.Left, c.pipeline.room.Reserve = c.left, c.reserveReply
	}
	return c.pipeline
}

// add returns the next op to fill in, as a none.
func (p *pipeline) add(reply replyFunc) *engine.Op {
	p.ops = append(p.ops, engine.Op{})
	p.replies = append(p.replies, reply)
	return &p.ops[len(p.ops)-1]
}

// fail adds an error reply.
func (p *pipeline) fail(text string) {
	p.add(func(w *resp.Writer, _ *engine.Op) { w.Error(text) })
}

// execute carries out what is in the pipeline and writes the replies.
func (c *conn) execute(ctx context.Context) {
	p := c.pipeline
	if p == nil {
		return
	}
	done := 0
	for done < len(p.ops) {
		began := time.Now()
		n := c.exec(ctx, p, done)
		c.srv.metrics.count(p.ops[done : done+n])
		done += n
		if done < len(p.ops) && c.w.Size() <= flushSize && c.held == 0 && time.Since(began) < flushAfter {
			continue
		}
		if c.flush() != nil {
			c.closing = true // with the rest not begun: nobody is there to be told
			break
		}
		p.room.Buf = p.room.Buf[:0]
	}
	clear(p.ops)
	clear(p.replies)
	p.ops, p.replies = p.ops[:0], p.replies[:0]
	if cap(p.room.Buf) > flushSize {
		p.room.Buf = nil
	}
	p.room.Buf, p.room.Left, p.room.Reserve = p.room.Buf[:0], nil, nil
	c.pipeline = nil
	pipelines.Put(p)
}

// exec has the engine carry out ops from done on, as many as it does at once, and writes their replies. The memory of
// large ones counts until they are flushed.
func (c *conn) exec(ctx context.Context, p *pipeline, done int) (n int) {
	ops := p.ops[done:]
	before, held := c.w.Size(), c.held
	n = c.srv.engine.Exec(ctx, ops, &p.room)
	for i := range n {
		c.reply(&ops[i], p.replies[done+i])
	}
	if size := int64(c.w.Size()-before) - (c.held - held); size > freeSize { // what the engine did not reserve
		c.srv.replies.take(size)
		c.held += size
	}
	return n
}

// reserveReply waits for memory for contents that the engine is about to read.
func (c *conn) reserveReply(ctx context.Context, size int) error {
	if size <= freeSize {
		return nil
	}
	got, err := c.srv.replies.reserve(ctx, int64(size))
	c.held += got
	return err
}

func (c *conn) reply(op *engine.Op, reply replyFunc) {
	if op.Err == nil {
		reply(c.w, op)
		return
	}
	if internal(op) {
		c.srv.failures.Error().Err(op.Err).Bytes("queue", op.Queue).Stringer("addr", c.nc.RemoteAddr()).Msg("command failed")
	}
	c.w.Error(errorReply(op))
}
