package okqd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/resp"
)

func parseStatus(op *engine.Op, args [][]byte) error {
	op.Kind = engine.Status
	if len(args) > 0 {
		op.Queues = args
	}
	return nil
}

// statusRows are the op's rows, in the order asked for, or sorted by name.
func statusRows(op *engine.Op) []engine.Row {
	if op.Queues == nil {
		slices.SortFunc(op.Rows, func(a, b engine.Row) int { return strings.Compare(a.Queue, b.Queue) })
	}
	return op.Rows
}

// replyStatus answers rows of [name, total, processing, consumers, delayed, oldest ready age in ms].
func replyStatus(w *resp.Writer, op *engine.Op) {
	rows := statusRows(op)
	w.Array(len(rows))
	for _, row := range rows {
		w.Array(6)
		w.BulkString(row.Queue)
		w.Int(row.Total())
		w.Int(row.Leased)
		w.Int(row.Consumers)
		w.Int(row.Delayed)
		w.Int(int(row.OldestReady.Milliseconds()))
	}
}

// replyInfo answers lines for people, the columns as wide as their widest entry.
func replyInfo(w *resp.Writer, op *engine.Op) {
	rows := statusRows(op)
	cells := make([][4]string, len(rows))
	var width [4]int
	for i, row := range rows {
		cells[i] = [4]string{
			row.Queue, strconv.Itoa(row.Total()), strconv.Itoa(row.Leased), strconv.Itoa(row.Consumers),
		}
		for col, cell := range cells[i] {
			width[col] = max(width[col], len(cell))
		}
	}
	w.Array(len(rows))
	for _, c := range cells {
		w.BulkString(fmt.Sprintf("%-*s  total: %-*s  processing: %-*s  consumers: %-*s",
			width[0], c[0], width[1], c[1], width[2], c[2], width[3], c[3]))
	}
}
