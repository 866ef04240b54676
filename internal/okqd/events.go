package okqd

import (
	"bytes"
	"strconv"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/resp"
)

const (
	defaultLease = 30 * time.Second
	// maxSpan is the longest lease or delay; longer ones are taken for it.
	maxSpan = 100 * 365 * 24 * time.Hour
	// maxCount is how many events one pop gives at most.
	maxCount = 1000
	// maxQueueName and maxID bound what is pushed and registered: queue names and event ids stay in memory, and names
	// are in metrics and statuses. What was stored under longer ones by an older okqd can be popped and acked.
	maxQueueName = 255
	maxID        = 1 << 10
)

func parsePush(op *engine.Op, args [][]byte, front bool) (err error) {
	op.Kind, op.Front = engine.Push, front
	op.Queue, op.ID, op.Contents = args[0], args[1], args[2]
	if err := checkNames(op); err != nil {
		return err
	}
	for rest := args[3:]; len(rest) > 0 && err == nil; {
		switch word := rest[0]; {
		case is(word, "NOBLOCK"):
			op.NoBlock = true
			rest = rest[1:]
		case is(word, "DELAY"):
			op.Delay, rest, err = parseDelay(rest)
		default:
			rest = rest[1:] // unknown words are ignored, as the original does
		}
	}
	return err
}

func parseBackPush(op *engine.Op, args [][]byte) error { return parsePush(op, args, false) }

func parseFrontPush(op *engine.Op, args [][]byte) error { return parsePush(op, args, true) }

func parseBackPeek(op *engine.Op, args [][]byte) error {
	op.Kind, op.Queue = engine.Peek, args[0]
	return nil
}

func parseFrontPeek(op *engine.Op, args [][]byte) error {
	op.Kind, op.Queue, op.Front = engine.Peek, args[0], true
	return nil
}

func parsePop(op *engine.Op, args [][]byte) (err error) {
	op.Kind, op.Queue, op.Lease = engine.Pop, args[0], defaultLease
	for rest := args[1:]; len(rest) > 0 && err == nil; {
		switch word := rest[0]; {
		case is(word, "EX") && len(rest) > 1:
			op.Lease, err = parseSeconds(rest[1], "expires", 0)
			rest = rest[2:]
		case is(word, "COUNT"):
			op.Count, rest, err = parseCount(rest)
		default:
			rest = rest[1:]
		}
	}
	return err
}

func parseAck(op *engine.Op, args [][]byte) (err error) {
	op.Kind, op.Queue, op.ID = engine.Ack, args[0], args[1]
	for rest := args[2:]; len(rest) > 0 && err == nil; {
		switch word := rest[0]; {
		case is(word, "REDO"):
			op.Redo = true
			rest = rest[1:]
		case is(word, "RELEASE"):
			op.Release = true
			rest = rest[1:]
		case is(word, "LEASE"):
			op.Token, rest, err = parseWord(rest)
		case is(word, "DELAY"):
			op.Delay, rest, err = parseDelay(rest)
		default:
			rest = rest[1:]
		}
	}
	return err
}

func parseTouch(op *engine.Op, args [][]byte) (err error) {
	op.Kind, op.Queue, op.ID, op.Lease = engine.Touch, args[0], args[1], defaultLease
	for rest := args[2:]; len(rest) > 0 && err == nil; {
		switch word := rest[0]; {
		case is(word, "EX") && len(rest) > 1:
			op.Lease, err = parseSeconds(rest[1], "expires", 1)
			rest = rest[2:]
		case is(word, "LEASE"):
			op.Token, rest, err = parseWord(rest)
		default:
			rest = rest[1:]
		}
	}
	return err
}

func parseFlush(op *engine.Op, args [][]byte) error {
	op.Kind, op.Queue = engine.Flush, args[0]
	return nil
}

func checkNames(op *engine.Op) error {
	if max(len(op.Queue), len(op.To)) > maxQueueName {
		return badValue("queue", "longer than "+strconv.Itoa(maxQueueName)+" bytes")
	}
	if max(len(op.ID), len(op.NewID)) > maxID {
		return badValue("event id", "longer than "+strconv.Itoa(maxID)+" bytes")
	}
	return nil
}

func is(word []byte, upper string) bool {
	return len(word) == len(upper) && bytes.EqualFold(word, []byte(upper))
}

// replyEvent answers [id, contents], or nil.
func replyEvent(w *resp.Writer, op *engine.Op) {
	if len(op.Events) == 0 {
		w.Null()
		return
	}
	w.Array(2)
	w.Bulk(op.Events[0].ID)
	w.Bulk(op.Events[0].Contents)
}

// replyPop answers as replyEvent or, with COUNT, an array of [id, contents, deliveries, lease token]. The token of an event
// that was popped for good is empty.
func replyPop(w *resp.Writer, op *engine.Op) {
	if op.Count == 0 {
		replyEvent(w, op)
		return
	}
	w.Array(len(op.Events))
	for _, ev := range op.Events {
		w.Array(4)
		w.Bulk(ev.ID)
		w.Bulk(ev.Contents)
		w.Int(ev.Deliveries)
		w.BulkString(ev.Token)
	}
}
