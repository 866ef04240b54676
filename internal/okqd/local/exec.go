package local

import (
	"context"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

// leaseSlack is added to every lease, so that it is not shorter than asked although it is only told after the disk has
// it. A disk that takes longer gets a new lease, see settle.
const leaseSlack = 100 * time.Millisecond

// maxFilling is the size of batch beyond which pushes wait for the disk.
const maxFilling = 16 << 20

// execution is one call of Exec.
type execution struct {
	now   int64
	told  bool    // the results tell of events, so the disk must have them first
	taken []taken // in the order of the results that they belong to
	size  int     // of their contents
	room  *engine.Room
	full  bool // it is used up
	final bool // there are pops without a lease

	reading map[*event]struct{} // the events of taken[:known], see needs
	known   int
}

var executions = sync.Pool{New: func() any { return new(execution) }}

// done gives x back.
func (x *execution) done() {
	clear(x.taken)
	*x = execution{taken: x.taken[:0]}
	executions.Put(x)
}

// taken is an event whose contents a result needs.
type taken struct {
	op         *engine.Op
	ev         *event
	deliveries uint32 // with leases, tells this pop of the event from a later one
	leases     uint8  // of a pop with a lease
	record     journal.Position
	recordSize uint32
}

// appliers change memory and the batch as the op says. False: not done, and nothing changed, for want of budget.
var appliers = [...]func(*Engine, *execution, *engine.Op) bool{
	engine.None:   func(*Engine, *execution, *engine.Op) bool { return true },
	engine.Push:   (*Engine).pushLocked,
	engine.Peek:   (*Engine).peekLocked,
	engine.Find:   (*Engine).findLocked,
	engine.Pop:    (*Engine).popLocked,
	engine.Ack:    (*Engine).ackLocked,
	engine.Touch:  (*Engine).touchLocked,
	engine.Flush:  (*Engine).flushLocked,
	engine.Status: (*Engine).statusLocked,

	engine.Move:    (*Engine).transferLocked,
	engine.Remove:  (*Engine).removeLocked,
	engine.Replace: (*Engine).replaceLocked,
}

// Exec implements engine.Engine.
func (e *Engine) Exec(_ context.Context, ops []engine.Op, room *engine.Room) int {
	if ops[0].Kind == engine.Move && ops[0].Keep {
		e.transferKept(&ops[0])
		return 1
	}
	x := executions.Get().(*execution)
	defer x.done()
	x.room = room
	e.space.look()
	e.mu.Lock()
	e.makeRoomLocked(ops)
	x.now = e.now()
	e.advanceLocked(x.now)
	done := 0
	for done < len(ops) && !x.full {
		op := &ops[done]
		if e.mustSettleLocked(x, op) || done > 0 && op.Kind == engine.Move && op.Keep {
			break
		}
		if !appliers[op.Kind](e, x, op) {
			break
		}
		done++
	}
	newest := e.newest
	e.mu.Unlock()
	if x.told {
		e.settle(x, ops[:done], newest)
	}
	return done
}

// mustSettleLocked tells whether op has to wait until what was taken is read: because it would see events that are to
// be gone by then, or because it would delete contents before they are read.
func (e *Engine) mustSettleLocked(x *execution, op *engine.Op) bool {
	switch {
	case len(x.taken) == 0:
		return false
	case x.final && !(op.Kind == engine.Pop && op.Lease == 0):
		return true
	case op.Kind == engine.Flush:
		return true
	case op.Kind == engine.Ack && !op.Redo, op.Kind == engine.Move, op.Kind == engine.Remove, op.Kind == engine.Replace:
		q := e.queues[string(op.Queue)]
		return q != nil && x.needs(q.events[string(op.ID)])
	}
	return false
}

// needs tells whether ev's contents are still to be read.
func (x *execution) needs(ev *event) bool {
	if x.reading == nil {
		x.reading = make(map[*event]struct{})
	}
	for _, t := range x.taken[x.known:] {
		x.reading[t.ev] = struct{}{}
	}
	x.known = len(x.taken)
	_, ok := x.reading[ev]
	return ok
}

// settle waits until the results are true for good, and completes them.
func (e *Engine) settle(x *execution, ops []engine.Op, newest *commit) {
	err := e.wait(newest)
	for err == nil && len(x.taken) > 0 && e.now()-x.now > int64(leaseSlack) {
		if newest = e.renewLeases(x); newest == nil {
			break
		}
		err = e.wait(newest)
	}
	if err == nil && len(x.taken) > 0 {
		e.readContents(x)
		if x.final {
			err = e.wait(e.finishTaken(x))
		}
	}
	if err != nil {
		for i := range ops {
			if ops[i].Kind != engine.None {
				ops[i].Result = engine.Result{Err: err}
			}
		}
	}
}

// makeRoomLocked waits while the batch is too large for more. The lock is not held meanwhile.
func (e *Engine) makeRoomLocked(ops []engine.Op) {
	for e.journal.Filling().Len() > maxFilling && writesContents(&ops[0]) && !ops[0].NoBlock {
		filling := e.filling
		e.mu.Unlock()
		err := e.wait(filling)
		e.mu.Lock()
		if err != nil {
			return // settle tells
		}
	}
}

func writesContents(op *engine.Op) bool {
	return op.Kind == engine.Push || op.Kind == engine.Move || op.Kind == engine.Replace
}

// renewLeases begins the leases again, because the disk took so long that they would be shorter than asked. It
// returns the commit to wait for, nil if there was nothing to renew.
func (e *Engine) renewLeases(x *execution) *commit {
	e.mu.Lock()
	defer e.mu.Unlock()
	x.now = e.now()
	renewed := false
	mine := x.taken[:0]
	for _, t := range x.taken {
		if t.op.Kind == engine.Pop && t.op.Lease > 0 {
			if t.ev.state != leased || t.ev.deliveries != t.deliveries {
				continue // ended, and somebody else's by now
			}
			e.leaseLocked(t.ev, x.now, t.op.Lease)
			renewed = true
		}
		mine = append(mine, t)
	}
	x.taken = mine
	if !renewed {
		return nil
	}
	return e.newest
}
