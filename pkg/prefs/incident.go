package prefs

import (
	"iter"
	"math/bits"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// arrived returns the incidents that count, those without a time as of now, when they arrived. An OptIn without a time,
// or from the future, is left out: in doubt the opt-out wins.
func arrived(incidents []Incident, now time.Time) []Incident {
	count := make([]Incident, 0, len(incidents))
	for _, in := range incidents {
		if in.Kind == OptIn && (in.At.IsZero() || in.At.After(now.Add(skew))) {
			continue
		}
		if in.At.IsZero() {
			in.At = now
		}
		count = append(count, in)
	}
	return count
}

// recordAll adds incidents and tells whether any of them changed anything.
func (d *document) recordAll(incidents []Incident) bool {
	changed := false
	for _, in := range incidents {
		changed = d.record(in) || changed
	}
	return changed
}

// record adds an incident and tells whether that changed anything.
func (d *document) record(in Incident) bool {
	at := second(in.At)
	changed := false
	switch in.Kind {
	case Bounce:
		changed = insert(&d.bounces, at, MaxIncidentTimes)
	case SpamReport:
		changed = insert(&d.spam, at, MaxIncidentTimes)
	case OptOut:
		changed = d.optOut(in.Flags, at, in.moved)
	case OptIn:
		changed = d.optIn(in.Flags, at)
	}
	if changed {
		d.updated = later(d.updated, at)
	}
	return changed
}

// optOut adds an OptOut, which may come from an address that was moved here. Then only words that are later than the move
// end it: the move, too, brought what they had ended here before.
func (d *document) optOut(flags int64, at, moved time.Time) bool {
	changed := false
	for bit := range bitsOf(flags) {
		if !d.isSpent(bit, at) {
			changed = d.addOut(bit, at) || changed
			continue
		}
		if before := d.spentBefore(bit); !moved.Before(before) && !d.spent[bit].knows(at) {
			changed = d.addOut(bit, at) || changed // so that a word spends it by its own time
			changed = d.addOut(bit, before) || changed
		}
	}
	if changed {
		d.settle()
	}
	return changed
}

func (d *document) addOut(bit int, at time.Time) bool {
	outs := d.outs[bit]
	if !insert(&outs, at, maxOuts) {
		return false
	}
	if d.outs == nil {
		d.outs = map[int][]time.Time{}
	}
	d.outs[bit] = outs
	return true
}

func (d *document) optIn(flags int64, at time.Time) bool {
	changed := false
	for bit := range bitsOf(flags) {
		if old, ok := d.ins[bit]; ok && !at.After(old) {
			continue
		}
		if d.ins == nil {
			d.ins = map[int]time.Time{}
		}
		d.ins[bit], changed = at, true
	}
	if changed {
		d.settle()
	}
	return changed
}

// lost counts the incidents that opt out of something which is allowed all the same.
func (d *document) lost(incidents []Incident) int {
	n := 0
	for _, in := range incidents {
		if in.Kind == OptOut && in.moved.IsZero() && in.Flags&^d.flags&^job.FlagsAllAllowed != 0 {
			n++
		}
	}
	return n
}

// insert adds at to a sorted set of times that keeps the latest, most of them, and tells whether it is new there.
func insert(times *[]time.Time, at time.Time, most int) bool {
	i, found := slices.BinarySearchFunc(*times, at, time.Time.Compare)
	if found || i == 0 && len(*times) >= most {
		return false
	}
	all := slices.Insert(slices.Clone(*times), i, at)
	*times = all[max(0, len(all)-most):]
	return true
}

// union returns the latest of two sorted sets of times, at most so many.
func union(a, b []time.Time, most int) []time.Time {
	for _, at := range b {
		insert(&a, at, most)
	}
	return a
}

// bitsOf yields the numbers of the bits that are set in flags, but for the reserved one.
func bitsOf(flags int64) iter.Seq[int] {
	return func(yield func(int) bool) {
		for rest := uint64(flags &^ job.FlagsAllAllowed); rest != 0; rest &= rest - 1 {
			if !yield(bits.TrailingZeros64(rest)) {
				return
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func second(t time.Time) time.Time      { return t.UTC().Truncate(time.Second) }
func millisecond(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
