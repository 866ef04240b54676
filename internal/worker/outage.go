package worker

import (
	"errors"
	"fmt"
	"time"
)

// An outage is one call to a store that failed and is being repeated. The gate is shut while there is any.
type outage struct {
	began  time.Time
	failed time.Time // when its latest try failed
	err    error
}

// failed notes that a call's try failed: its first, if o is nil. The result is for endOutage.
func (g *gate) failed(o *outage, what string, err error) *outage {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if o == nil {
		o = &outage{began: now}
		if len(g.outages) == 0 {
			g.log.Error().Err(err).Str("call", what).Msg("the store fails, sending stops until it answers")
			g.m.storeAway.Set(1)
			g.failing.Begin(now)
		}
		g.outages[o] = struct{}{}
	}
	o.failed, o.err = now, err
	return o
}

// endOutage takes back what failed noted. It does nothing if o is nil: the call never failed.
func (g *gate) endOutage(o *outage) {
	if o == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.outages, o)
	if len(g.outages) == 0 {
		g.log.Info().Msg("the store answers again")
		g.m.storeAway.Set(0)
		g.failing.End(time.Now())
		g.wakeLocked()
	}
}

const (
	// toldAfter is how long a store may fail before /readyz says so.
	toldAfter = 2 * time.Second
	// stuckAfter is well beyond the time between two tries of a call to a store: the pause and the call itself.
	stuckAfter = 2 * (maxPause + storeTimeout)
)

var errStuck = errors.New("sending is stopped and nothing is under way that could end that: restart the worker and report a bug")

// ready returns what keeps the gate shut and needs somebody's attention.
func (g *gate) ready() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stuckLocked(time.Now()) {
		return errStuck
	}
	for o := range g.outages {
		if time.Since(o.began) > toldAfter {
			return fmt.Errorf("the store fails, nothing is sent or folded: %w", o.err)
		}
	}
	return nil
}

// stuckLocked reports whether the gate is shut for a call or a trial that nobody makes any more.
func (g *gate) stuckLocked(now time.Time) bool {
	for o := range g.outages {
		if now.Sub(o.failed) > stuckAfter {
			return true
		}
	}
	return len(g.outages) == 0 && g.control.Stuck(now)
}

// stuck is the value of the metric.
func (g *gate) stuck() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stuckLocked(time.Now()) {
		return 1
	}
	return 0
}
