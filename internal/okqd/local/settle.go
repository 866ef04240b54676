package local

import (
	"context"
	"fmt"
	"slices"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

var errLeft = fmt.Errorf("%w: the client has left", engine.ErrUnconfirmed)

// settle waits until the results are true for good, and completes them.
func (e *Engine) settle(ctx context.Context, x *execution, ops []engine.Op, newest *commit) {
	begun := x.now
	late := func() bool { return e.now()-begun > int64(leaseSlack) }
	err := e.wait(ctx, newest)
	for err == nil && len(x.leases) > 0 && e.now()-x.now > int64(x.margin) {
		err = e.wait(ctx, e.renewLeases(x))
	}
	if err == nil && len(x.taken) > 0 && e.reserve(ctx, x) {
		e.readContents(ctx, x)
		if late() && x.room.Left != nil && x.room.Left() {
			err = errLeft
		} else if x.final {
			err = e.wait(ctx, e.finishTaken(x))
		}
	}
	if err != nil {
		e.takeBack(x)
		for i := range ops {
			if ops[i].Kind != engine.None {
				ops[i].Result = engine.Result{Err: err}
			}
		}
		return
	}
	if len(x.leases) > 0 && late() {
		e.moveDeadlines(x)
	}
}

// reserve waits for memory for what was taken. Without it, that is ready again and its ops fail; others are done.
func (e *Engine) reserve(ctx context.Context, x *execution) bool {
	if x.room.Reserve == nil {
		return true
	}
	size := 0
	for _, t := range x.taken {
		size += int(t.recordSize)
	}
	if x.room.Reserve(ctx, size) == nil {
		return true
	}
	e.takeBack(x)
	for _, t := range x.taken {
		t.op.Result = engine.Result{Err: engine.ErrNoRoom}
	}
	return false
}

// lease is a lease that an execution gave and has not told yet.
type lease struct {
	op         *engine.Op
	ev         *event
	deliveries uint32 // tells this lease of the event from a later one, with number
	number     uint8  // see event.leases
}

func newLease(op *engine.Op, ev *event) lease { return lease{op, ev, ev.deliveries, ev.leases} }

// held tells whether nobody else has the event by now.
func (l lease) held() bool {
	return l.ev.state == leased && l.ev.deliveries == l.deliveries && l.ev.leases == l.number
}

// renewLeases writes the leases down once more, with the margin that this disk turned out to need: with the one that
// they have, a crash after the reply would make them shorter than asked. It returns the commit to wait for.
func (e *Engine) renewLeases(x *execution) *commit {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	e.margin.raise(now - x.now)
	x.now, x.margin = now, e.margin.at(now)
	for _, l := range x.leases {
		if l.held() {
			e.leaseLocked(l.ev, x.now, l.op.Lease)
		}
	}
	return e.newest
}

// moveDeadlines begins the leases now, in memory: the disk took so long that they would be told shorter than asked. What
// is on disk is late enough already. What ended meanwhile, and may be somebody else's, is not told.
func (e *Engine) moveDeadlines(x *execution) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	for _, l := range x.leases {
		if l.held() {
			l.ev.at = now + int64(l.op.Lease+leaseSlack)
			e.due.moved(l.ev)
			e.rearmLocked(l.ev.at)
			continue
		}
		if l.op.Kind == engine.Touch {
			l.op.OK = false
			continue
		}
		l.op.Events = slices.DeleteFunc(l.op.Events, func(told engine.Event) bool { return string(told.ID) == l.ev.id })
	}
}

// takeBack makes what was popped ready again, as if it had not been: nobody is told of it.
func (e *Engine) takeBack(x *execution) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	for _, t := range slices.Backward(x.taken) {
		switch {
		case t.op.Kind != engine.Pop || t.ev.deliveries != t.deliveries || t.op.Lease > 0 && t.ev.leases != t.leases:
			continue
		case t.ev.state == leased:
			e.due.remove(t.ev)
		case t.ev.state != taking:
			continue
		}
		t.ev.deliveries--
		t.ev.front = true
		e.readyLocked(t.ev, now)
	}
}
