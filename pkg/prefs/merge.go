package prefs

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A part is what is stored for a recipient under one spelling of their address. Every version but 0.4.0 and 25f7307 has
// a recipient's key for it. What these stored under other spellings is merged whole, and what is written is written to
// all but those of 0.4.0, so that a 25f7307 that still runs, or that somebody goes back to, knows of opt-outs.
type part struct {
	id string
	document
	bare bool // 0.4.0 stored it: flags, times and when they were updated. It is never changed
}

// spellings are the ids under which parts of an address may be found without asking for their keys.
func spellings(addresses []string) []string {
	var all []string
	for _, a := range addresses {
		all = append(all, job.Spellings(a)...)
	}
	return all
}

// lowerSpellings are those of spellings that were never stored in upper case: no 0.4.0 wrote to SQLite.
func lowerSpellings(addresses []string) []string {
	all := make([]string, 0, len(addresses))
	for _, a := range addresses {
		all = append(all, job.Spellings(strings.ToLower(a))...)
	}
	return all
}

// copies are the ids, beside the key, under which a 25f7307 looks for an address.
func copies(address string) []string { return job.Spellings(strings.ToLower(address))[1:] }

// assemble makes one document of each recipient's parts.
func assemble(parts []part) map[string]*document {
	// Those under their key come first, those of 0.4.0 last, so that these find what was said since.
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.rank(), b.rank()) })
	documents := map[string]*document{}
	for i := range parts {
		p := &parts[i]
		key := job.Key(p.id)
		d := documents[key]
		switch {
		case d == nil && !p.bare:
			documents[key] = &p.document
		case d == nil:
			d = &document{}
			documents[key] = d
			d.joinBare(&p.document)
		case p.bare:
			d.joinBare(&p.document)
		default:
			d.join(&p.document)
		}
	}
	return documents
}

func (p *part) rank() int {
	switch {
	case p.bare:
		return 2
	case p.id != job.Key(p.id):
		return 1
	}
	return 0
}

// joinBare adds what 0.4.0 stored: an opt-out at the time of its last update, which an own word may have ended since.
func (d *document) joinBare(o *document) {
	if !second(o.updated).Before(d.oldWord) {
		d.record(Incident{Kind: OptOut, At: o.updated, Flags: o.flags})
	}
	if d.flags == 0 {
		d.flags = o.flags
	}
	d.joinTimes(o)
}

// join adds all that another document of the same recipient says. An own word ends the opt-outs of the other document
// only if it was about them, which one that an older version stored does not tell.
func (d *document) join(o *document) {
	own := d.outlive(o) | o.outlive(d)
	if literal := d.own; literal&^job.FlagsAllAllowed == own {
		own = literal
	}
	outs := d.outsThatOutlive(o)
	for bit, theirs := range o.outsThatOutlive(d) {
		outs[bit] = union(outs[bit], theirs, maxOuts)
	}
	d.own, d.since, d.outs = own, later(d.since, o.since), outs
	if o.oldWord.Before(d.oldWord) {
		d.oldWord = o.oldWord
	}
	for bit, theirs := range o.spent {
		ours := d.spent[bit]
		if d.spent == nil {
			d.spent = map[int]spending{}
		}
		d.spent[bit] = spending{later(ours.before, theirs.before), union(ours.known, theirs.known, maxOuts)}
	}
	for bit, at := range o.ins {
		if d.ins == nil {
			d.ins = map[int]time.Time{}
		}
		d.ins[bit] = later(d.ins[bit], at)
	}
	for key, at := range o.moved {
		d.moveTo(key, at)
	}
	d.joinTimes(o)
	if flags := d.flags; d.said() {
		d.settle()
	} else {
		d.flags = cmp.Or(flags, o.flags)
	}
}

// outlive returns the own opt-outs of d that no word in o is known to have ended.
func (d *document) outlive(o *document) int64 {
	own := d.own &^ job.FlagsAllAllowed
	for bit := range bitsOf(own &^ o.own) {
		if o.spent[bit].ends(d.since) {
			own &^= 1 << bit
		}
	}
	return own
}

// outsThatOutlive are the OptOuts of d that no word in o is known to have ended.
func (d *document) outsThatOutlive(o *document) map[int][]time.Time {
	all := map[int][]time.Time{}
	for bit, times := range d.outs {
		times = slices.DeleteFunc(slices.Clone(times), func(at time.Time) bool {
			_, both := slices.BinarySearchFunc(o.outs[bit], at, time.Time.Compare)
			return !both && o.spent[bit].ends(at)
		})
		if len(times) > 0 {
			all[bit] = times
		}
	}
	return all
}

func (d *document) joinTimes(o *document) {
	d.bounces = union(d.bounces, o.bounces, MaxIncidentTimes)
	d.spam = union(d.spam, o.spam, MaxIncidentTimes)
	d.updated = later(d.updated, o.updated)
}
