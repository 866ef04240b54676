package okqd

import (
	"context"
	"sync"

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
)

var pipelines = sync.Pool{New: func() any { return &pipeline{room: engine.Room{Budget: execBudget}} }}

// later is where commands go whose turn has not come.
func (c *conn) later() *pipeline {
	if c.pipeline == nil {
		c.pipeline = pipelines.Get().(*pipeline)
		c.pipeline.room.Left = c.left
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
		n, err := c.exec(ctx, p, done)
		if err != nil {
			c.w.Error(errNoMemory)
			c.closing = true // with the rest not begun
			break
		}
		c.srv.metrics.count(p.ops[done : done+n])
		done += n
		if done < len(p.ops) && c.w.Size() <= flushSize {
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
	p.room.Buf, p.room.Left = p.room.Buf[:0], nil
	c.pipeline = nil
	pipelines.Put(p)
}

// exec has the engine carry out ops from done on, as many as it does at once, and writes their replies. Their memory
// counts until they are flushed.
func (c *conn) exec(ctx context.Context, p *pipeline, done int) (n int, err error) {
	ops := p.ops[done:]
	var reserved int64
	if c.expectContents(ops) {
		if reserved, err = c.srv.replies.reserve(ctx); err != nil {
			return 0, err
		}
	}
	before := c.w.Size()
	n = c.srv.engine.Exec(ctx, ops, &p.room)
	for i := range n {
		c.reply(&ops[i], p.replies[done+i])
	}
	if reserved > 0 {
		size := int64(c.w.Size() - before)
		c.srv.replies.adjust(reserved, size)
		c.held += size
	}
	return n, nil
}

// expectContents reports whether replies to ops have contents, and tells the size of large ones that are pushed.
func (c *conn) expectContents(ops []engine.Op) (contents bool) {
	for i := range ops {
		switch ops[i].Kind {
		case engine.Push:
			c.srv.replies.expect(len(ops[i].Contents))
		case engine.Pop, engine.Peek, engine.Find:
			contents = true
		}
	}
	return contents
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
