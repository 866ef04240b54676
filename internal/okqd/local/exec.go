package local

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

// maxFilling is the size of batch beyond which pushes wait for the disk.
const maxFilling = 16 << 20

// execution is one call of Exec.
type execution struct {
	now    int64         // when the ops were done, and when the leases were last written down
	margin time.Duration // with which that was
	told   bool          // the results tell of events, so the disk must have them first
	leases []lease
	taken  []taken // in the order of the results that they belong to
	size   int     // of their contents
	room   *engine.Room
	full   bool // it is used up
	final  bool // there are pops without a lease

	reading map[*event]struct{} // the events of taken[:known], see needs
	known   int
}

var executions = sync.Pool{New: func() any { return new(execution) }}

// done gives x back.
func (x *execution) done() {
	clear(x.taken)
	clear(x.leases)
	*x = execution{taken: x.taken[:0], leases: x.leases[:0]}
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
func (e *Engine) Exec(ctx context.Context, ops []engine.Op, room *engine.Room) int {
	if ops[0].Kind == engine.Move && ops[0].Keep {
		e.transferKept(ctx, &ops[0])
		return 1
	}
	x := executions.Get().(*execution)
	defer x.done()
	x.room = room
	e.space.look()
	e.mu.Lock()
	e.makeRoomLocked(ctx, ops)
	if e.filling.isLate() {
		e.mu.Unlock()
		return refuse(ops)
	}
	x.now = e.now()
	x.margin = e.margin.at(x.now)
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
		e.settle(ctx, x, ops[:done], newest)
	}
	return done
}

var errLate = fmt.Errorf("%w: an earlier commit takes longer than %v", engine.ErrUnconfirmed, commitTimeout)

// refuse is for a disk that does not answer: nothing is begun that could not be told.
func refuse(ops []engine.Op) int {
	for i := range ops {
		if ops[i].Kind != engine.None {
			ops[i].Result = engine.Result{Err: errLate}
		}
	}
	return len(ops)
}

// forget says that ev's lease has ended by an op of the same execution.
func (x *execution) forget(ev *event) {
	x.leases = slices.DeleteFunc(x.leases, func(l lease) bool { return l.ev == ev })
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

// makeRoomLocked waits while the batch is too large for more. The lock is not held meanwhile.
func (e *Engine) makeRoomLocked(ctx context.Context, ops []engine.Op) {
	for e.journal.Filling().Len() > maxFilling && writesContents(&ops[0]) && !ops[0].NoBlock {
		filling := e.filling
		e.mu.Unlock()
		err := e.wait(ctx, filling)
		e.mu.Lock()
		if err != nil {
			return // settle tells
		}
	}
}

func writesContents(op *engine.Op) bool {
	return op.Kind == engine.Push || op.Kind == engine.Move || op.Kind == engine.Replace
}
