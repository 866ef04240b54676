package okqd

import (
	"context"
	"errors"
	"strconv"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/resp"
)

// defaultScan is the COUNT of a QSCAN without one.
const defaultScan = 100

// scan is QSCAN queue cursor [COUNT n]. It answers the next cursor and an array of ids.
func (c *conn) scan(ctx context.Context, args [][]byte) {
	count, err := defaultScan, error(nil)
	for rest := args[2:]; len(rest) > 0 && err == nil; {
		if is(rest[0], "COUNT") {
			count, rest, err = parseCount(rest)
			continue
		}
		rest = rest[1:]
	}
	op := engine.Op{Queue: args[0], Result: engine.Result{Err: err}}
	var ids [][]byte
	var next string
	if op.Err == nil {
		ids, next, op.Err = c.srv.engine.Scan(ctx, string(args[0]), string(args[1]), count)
	}
	if errors.Is(op.Err, engine.ErrCursor) {
		op.Err = badValue("cursor", strconv.Quote(quotable(args[1]))+" is none of mine")
	}
	c.reply(&op, func(w *resp.Writer, _ *engine.Op) {
		w.Array(2)
		w.BulkString(next)
		w.Array(len(ids))
		for _, id := range ids {
			w.Bulk(id)
		}
	})
}
