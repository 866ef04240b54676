package redis

import (
	"strconv"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

const (
	// maxPushes and maxAcks are how many ops the script takes as one. Of acks there are fewer, for when one is not of a
	// leased event, those that are have to be searched for too.
	maxPushes, maxAcks = 512, 64
	// smallContents is the size up to which a pop may read contents and then not give them.
	smallContents = 16 << 10
)

// group is consecutive ops that the script takes as one: they have one result.
type group []part

// groups splits parts.
func groups(parts []part) []group {
	var list []group
	for len(parts) > 0 {
		n := 1
		if most := together(parts[0].op); most > 1 {
			for n < min(len(parts), most) && parts[n].op.Kind == parts[0].op.Kind && together(parts[n].op) == most &&
				(len(parts[n].op.Token) > 0) == (len(parts[0].op.Token) > 0) {
				n++
			}
		}
		list = append(list, parts[:n:n])
		parts = parts[n:]
	}
	return list
}

// together is how many ops like this one go into a group.
func together(op *engine.Op) int {
	switch {
	case op.Kind == engine.Push && !op.Front && op.Delay == 0:
		return maxPushes
	case op.Kind == engine.Ack && !op.Redo:
		return maxAcks
	}
	return 1
}

// appendTo adds the group to the script's arguments. IMPORTANT: they are copies. The ops' bytes are the connection's read
// buffer, and when a connection to Redis is lost, rueidis may answer before it is done with a command's arguments.
func (g group) appendTo(args []string) []string {
	op := g[0].op
	switch {
	case op.Kind == engine.Push && together(op) > 1:
		return g.appendPushes(args)
	case op.Kind == engine.Ack && !op.Redo:
		return g.appendAcks(args)
	}
	return appendOp(args, g[0])
}

func (g group) appendAcks(args []string) []string {
	if len(g[0].op.Token) == 0 {
		args = append(args, "ack", strconv.Itoa(len(g)))
		for _, p := range g {
			args = append(args, string(p.op.ID))
		}
		return args
	}
	args = append(args, "finish", strconv.Itoa(len(g)))
	for _, p := range g {
		args = append(args, string(p.op.ID), string(p.op.Token))
	}
	return args
}

func (g group) appendPushes(args []string) []string {
	large := false
	for _, p := range g {
		large = large || isLarge(p.op)
	}
	args = append(args, "push", strconv.Itoa(len(g)), flag(large))
	for _, p := range g {
		args = append(args, string(p.op.ID), string(p.op.Contents))
	}
	return args
}

func isLarge(op *engine.Op) bool { return len(op.Contents) > smallContents }

func appendOp(args []string, p part) []string {
	op := p.op
	switch op.Kind {
	case engine.Push:
		return append(args, "place", string(op.ID), string(op.Contents), flag(isLarge(op)), millis(op.Delay), flag(op.Front))
	case engine.Peek:
		return append(args, "peek", flag(op.Front))
	case engine.Find:
		return append(args, "find", string(op.ID))
	case engine.Pop:
		return append(args, "pop", strconv.Itoa(max(op.Count, 1)), lease(op.Lease, p.slack), strconv.Itoa(p.room))
	case engine.Ack:
		return append(args, "redo", string(op.ID), string(op.Token), millis(op.Delay), flag(op.Release))
	case engine.Touch:
		return append(args, "touch", string(op.ID), string(op.Token), lease(op.Lease, p.slack))
	case engine.Move:
		return append(args, "move", string(op.ID), string(op.Token), string(op.NewID), flag(op.Keep), string(op.Contents), millis(op.Delay),
			string(op.To))
	case engine.Remove:
		return append(args, "remove", string(op.ID))
	case engine.Replace:
		return append(args, "replace", string(op.ID), string(op.Contents), millis(op.Delay))
	case engine.Flush:
		return append(args, "flush")
	default:
		return append(args, "status")
	}
}

// millis rounds up: nothing comes back too early.
func millis(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}

func lease(d, slack time.Duration) string {
	if d > 0 {
		d += slack
	}
	return millis(d)
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
