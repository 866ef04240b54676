package local

import (
	"context"
	"time"
)

const (
	// maxAdvance bounds how long the lock is held when many leases end at once.
	maxAdvance = 1000
	// nudgeAfter is how long a woken consumer has to pop before the next one is woken for the same event.
	nudgeAfter = 20 * time.Millisecond
	// jumpEvery is how often the machine's clock is looked at, and jumpLeast how much it must have jumped.
	jumpEvery = 5 * time.Second
	jumpLeast = time.Second
)

// runClock ends leases and delays when they are due. Exec does so too, so this only matters to those who wait.
func (e *Engine) runClock(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-e.rearm:
		}
		e.mu.Lock()
		now := e.now()
		e.jumpLocked(now, e.machine().UnixNano()-now)
		e.advanceLocked(now)
		e.nudgeLocked(now)
		e.wakeAt = e.nextLocked(now)
		pause := time.Duration(e.wakeAt - now)
		e.mu.Unlock()
		timer.Reset(pause)
	}
}

// nextLocked is when the clock goroutine has something to do.
func (e *Engine) nextLocked(now int64) int64 {
	next := now + int64(jumpEvery)
	if len(e.due) > 0 {
		next = min(next, max(now, e.due[0].at))
	}
	for _, at := range e.nudges {
		next = min(next, max(now, at))
	}
	return next
}

// rearmLocked makes sure that the clock goroutine looks at that time.
func (e *Engine) rearmLocked(at int64) {
	if at >= e.wakeAt {
		return
	}
	e.wakeAt = at
	select {
	case e.rearm <- struct{}{}:
	default:
	}
}

// advanceLocked ends what is due by now, and puts each event at the end that it is to come back at. A lease that is not
// on disk yet does not end, for nobody has been told of it: else a disk that is slower than leases are long would count
// deliveries that no consumer saw.
func (e *Engine) advanceLocked(now int64) {
	for n := 0; n < maxAdvance && len(e.due) > 0 && e.due[0].at <= now; n++ {
		ev := e.due[0]
		if ev.state == leased && ev.order > e.durable {
			ev.at = now + int64(2*commitTimeout) // until settle moves it to where it belongs
			e.due.moved(ev)
			continue
		}
		e.due.remove(ev)
		if ev.state == delayed {
			ev.queue.delayed--
		} else {
			e.metrics.expired(ev.queue.name)
		}
		e.readyLocked(ev, now)
	}
}
