package local

import (
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// findLocked looks at an event, whatever its state.
func (e *Engine) findLocked(x *execution, op *engine.Op) bool {
	q := e.queues[string(op.Queue)]
	if q == nil {
		return true
	}
	ev := q.events[string(op.ID)]
	if ev == nil || ev.state == taking {
		return true
	}
	switch ev.state {
	case leased:
		op.Found = engine.Found{State: engine.Leased, Due: time.Duration(ev.at - x.now)}
	case delayed:
		op.Found = engine.Found{State: engine.Delayed, Due: time.Duration(ev.at - x.now)}
	}
	return x.take(op, ev, ev.deliveries)
}
