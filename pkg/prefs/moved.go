package prefs

import (
	"maps"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// take adds the opt-outs of from, beside those of d, as if the recipient had given their word of them here. What from
// knows of OptOuts comes along, so that a repetition of them is none of d's.
func (d *document) take(from *document) bool {
	added := from.flags &^ d.flags &^ job.FlagsAllAllowed
	if added == 0 {
		return false
	}
	d.since = later(d.since, from.since)
	for bit := range bitsOf(added) {
		for _, at := range from.outs[bit] {
			d.since = later(d.since, at)
			if !d.isSpent(bit, at) {
				d.addOut(bit, at)
			}
		}
		d.since = later(d.since, d.ins[bit])
		delete(d.ins, bit)
	}
	d.own = d.own&^job.FlagsAllAllowed | added
	d.updated = later(d.updated, d.since)
	d.settle()
	return true
}

// moveTo notes that OptOuts of this recipient count for key too, and tells whether that is new.
func (d *document) moveTo(key string, at time.Time) bool {
	if !at.After(d.moved[key]) {
		return false
	}
	d.moved = maps.Clone(d.moved) // of what was read, perhaps for another try
	if d.moved == nil {
		d.moved = map[string]time.Time{}
	}
	d.moved[key] = at
	return true
}

// forwarded are the OptOuts among incidents that count for the other recipients that d was moved to. Those that happened
// to d itself must have counted here at the time of the move; others are only passed on.
func (d *document) forwarded(incidents []Incident) []Incident {
	var all []Incident
	for key, moved := range d.moved {
		for _, in := range incidents {
			if in.Kind != OptOut {
				continue
			}
			for bit := range bitsOf(in.Flags) {
				if in.moved.IsZero() && d.wasSpent(bit, second(in.At), moved) {
					in.Flags &^= 1 << bit
				}
			}
			if in.Flags&^job.FlagsAllAllowed != 0 {
				in.Address, in.moved = key, moved
				all = append(all, in)
			}
		}
	}
	return all
}

// wasSpent tells whether an OptOut had been ended without a doubt before the move: it is known, or was dated before a word
// that came before the move.
func (d *document) wasSpent(bit int, at, moved time.Time) bool {
	before := d.spentBefore(bit)
	return d.spent[bit].knows(at) || at.Before(before) && moved.After(before.Add(2*margin))
}
