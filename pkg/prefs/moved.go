package prefs

import (
	"slices"
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
			if outs := d.outs[bit]; !d.isSpent(bit, at) && insert(&outs, at, maxOuts) {
				if d.outs == nil {
					d.outs = map[int][]time.Time{}
				}
				d.outs[bit] = outs
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
func (d *document) moveTo(key string) bool {
	i, found := slices.BinarySearch(d.moved, key)
	if !found {
		d.moved = slices.Insert(slices.Clone(d.moved), i, key)
	}
	return !found
}

// forwarded are the OptOuts among incidents that count for the other recipients that d was moved to.
func (d *document) forwarded(incidents []Incident) []Incident {
	if len(d.moved) == 0 {
		return nil
	}
	var all []Incident
	for _, in := range incidents {
		if in.Kind != OptOut {
			continue
		}
		var flags int64
		for bit := range bitsOf(in.Flags) {
			if !d.isSpent(bit, second(in.At)) {
				flags |= 1 << bit
			}
		}
		if in.Flags = flags; flags == 0 {
			continue
		}
		for _, in.Address = range d.moved {
			all = append(all, in)
		}
	}
	return all
}
