package okqd

import (
	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/resp"
)

func parseFind(op *engine.Op, args [][]byte) error {
	op.Kind, op.Queue, op.ID = engine.Find, args[0], args[1]
	return nil
}

// replyFound answers [state, contents, deliveries, ms until the lease or the delay ends], or nil.
func replyFound(w *resp.Writer, op *engine.Op) {
	if len(op.Events) == 0 {
		w.Null()
		return
	}
	w.Array(4)
	w.BulkString(op.Found.State.String())
	w.Bulk(op.Events[0].Contents)
	w.Int(op.Events[0].Deliveries)
	w.Int(int(op.Found.Due.Milliseconds()))
}
