package worker

import (
	"context"
	"sync"
)

// share is how many turns in a row emails of high priority get while others wait: of eleven places that become free the
// others get at least one.
const share = 10

// places bound how many emails are at a stage at a time. Those of high priority go first, and some places may be kept for
// them.
type places struct {
	mu     sync.Mutex // protects the fields below
	limit  int
	kept   int // of limit, for emails of high priority alone
	used   int
	high   []chan struct{} // waiting, first come first served
	normal []chan struct{}
	streak int // turns that high had in a row while others could have had them
}

func newPlaces(limit int) *places { return &places{limit: limit} }

// resize changes the number of places, and how many of them are kept for emails of high priority.
func (p *places) resize(limit, kept int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit, p.kept = limit, kept
	p.admitLocked()
}

// acquire waits for a place, or returns false once ctx has ended.
func (p *places) acquire(ctx context.Context, high bool) bool {
	p.mu.Lock()
	if len(p.high)+len(p.normal) == 0 && p.used < p.limit && (high || p.used < p.limit-p.kept) {
		p.used++
		p.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	if high {
		p.high = append(p.high, turn)
	} else {
		p.normal = append(p.normal, turn)
	}
	p.admitLocked()
	p.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
		p.leave(turn)
		return false
	}
}

// leave gives up a place in a line, or the turn that came meanwhile.
func (p *places) leave(turn chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range []*[]chan struct{}{&p.high, &p.normal} {
		for i, other := range *line {
			if other == turn {
				*line = append((*line)[:i], (*line)[i+1:]...)
				return
			}
		}
	}
	p.used--
	p.admitLocked()
}

func (p *places) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used--
	p.admitLocked()
}

// admitLocked gives the places that are free.
func (p *places) admitLocked() {
	for p.used < p.limit {
		normal := len(p.normal) > 0 && p.used < p.limit-p.kept
		switch {
		case len(p.high) > 0 && !(normal && p.streak >= share):
			p.streak++
			if !normal {
				p.streak = 0
			}
			p.high = p.admitFirstLocked(p.high)
		case normal:
			p.streak = 0
			p.normal = p.admitFirstLocked(p.normal)
		default:
			return
		}
	}
}

func (p *places) admitFirstLocked(line []chan struct{}) []chan struct{} {
	p.used++
	close(line[0])
	return line[1:]
}
