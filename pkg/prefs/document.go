package prefs

import (
	"slices"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A document is what is stored for one recipient. Every store reads it, lets the methods below change it and writes
// it back only if nobody else has in between, so the rules are here and nowhere else.
//
// Each bit of the flags is a register of its own: its latest opt-out, by the recipient (own, since) or by a webhook
// event (outs), against its latest opt-in. Where clocks leave a doubt about the order, the opt-out wins. Latest is a
// maximum and a set of times is a set, so incidents commute and may repeat.
type document struct {
	flags   int64                // what all of the below comes to; 0: nobody ever said anything
	own     int64                // the recipient's own word, and the opt-outs that Move brought
	since   time.Time            // when it was given, to the second
	outs    map[int][]time.Time  // by bit: the latest OptOuts that no word has spent, sorted
	ins     map[int]time.Time    // by bit: the latest OptIn
	spent   map[int]spending     // by bit: the OptOuts that the recipient's own word ended
	oldWord time.Time            // of a word that an older version stored, which does not tell what it was about
	moved   map[string]time.Time // the keys that Move copied to, and when: OptOuts count for them too
	bounces []time.Time          // sorted, no more than MaxIncidentTimes, as are:
	spam    []time.Time
	updated time.Time
}

// spending says which OptOuts an own word ended: those dated before it by more than margin, and those that had been
// recorded by then.
type spending struct {
	before time.Time
	known  []time.Time // sorted
}

const (
	// margin is how far the clocks of SendGrid and of our processes may be apart. Within it, a time of one says nothing
	// about the order with a time of another: the opt-out counts.
	margin = 15 * time.Minute
	// skew is how far ahead of ours SendGrid's clock may be for an OptIn to be believed. One from further ahead would
	// shut out all later OptOuts.
	skew = time.Hour
	// maxOuts is how many OptOuts of one bit are told apart, once spent, from those that come later.
	maxOuts = 8
)

// setFlags makes flags the recipient's own word, and tells whether that changed anything. It is about the bits that it
// changes: OptOuts of the others, which may be on their way, still count.
func (d *document) setFlags(flags int64, at time.Time) bool {
	if flags == 0 {
		flags = job.FlagsAllAllowed
	}
	since := second(at)
	if d.flags == flags && d.own == flags && !since.After(d.since) {
		return false // this call has been made before
	}
	for bit := range bitsOf(d.flags &^ flags) {
		d.spend(bit, since)
	}
	d.since = later(d.since, since)
	for bit := range bitsOf(flags) {
		d.since = later(d.since, d.ins[bit])
		delete(d.ins, bit)
	}
	d.flags, d.own = flags, flags
	d.updated = later(d.updated, millisecond(at))
	return true
}

// spend ends the OptOuts of a bit that are known, and those that are dated clearly before at.
func (d *document) spend(bit int, at time.Time) {
	s := d.spent[bit]
	s.before = later(s.before, at.Add(-margin))
	s.known = union(s.known, d.outs[bit], maxOuts)
	if d.spent == nil {
		d.spent = map[int]spending{}
	}
	d.spent[bit] = s
	delete(d.outs, bit)
}

// ends tells whether the word that s is of ended an OptOut of the time at.
func (s spending) ends(at time.Time) bool { return s.knows(at) || at.Before(s.before) }

// knows tells whether an OptOut of the time at had been recorded when the word was given.
func (s spending) knows(at time.Time) bool {
	_, known := slices.BinarySearchFunc(s.known, at, time.Time.Compare)
	return known
}

// isSpent tells whether the recipient's own word ended an OptOut of the time at.
func (d *document) isSpent(bit int, at time.Time) bool {
	return d.spent[bit].knows(at) || at.Before(d.spentBefore(bit))
}

// spentBefore is the time before which OptOuts of a bit are spent, known or not.
func (d *document) spentBefore(bit int) time.Time {
	before := d.spent[bit].before
	if !d.oldWord.IsZero() {
		before = later(before, d.oldWord.Add(-margin))
	}
	return before
}

// settle works the flags out from what was said of each bit. It is due after every change of outs or ins; where these
// add nothing to the recipient's own word, that stands to the letter.
func (d *document) settle() {
	var flags int64
	for bit := range 64 {
		if d.optedOut(bit) {
			flags |= 1 << bit
		}
	}
	if flags == d.own&^job.FlagsAllAllowed {
		flags = d.own
	}
	if flags == 0 {
		flags = job.FlagsAllAllowed
	}
	d.flags = flags
}

// optedOut tells whether the recipient opted out of the kind of email that bit stands for. An OptIn counts against an
// OptOut of the same clock if it is later, and against the recipient's own word if it is later without a doubt.
func (d *document) optedOut(bit int) bool {
	if bit == 0 {
		return false
	}
	in := d.ins[bit]
	if outs := d.outs[bit]; len(outs) > 0 && !in.After(outs[len(outs)-1]) {
		return true
	}
	return d.own>>bit&1 == 1 && !in.After(d.since.Add(margin))
}

// said tells whether there is anything that flags follow from.
func (d *document) said() bool { return d.own != 0 || len(d.outs)+len(d.ins) > 0 }

// restricts tells whether the recipient opted out of anything.
func (d *document) restricts() bool { return d.flags&^job.FlagsAllAllowed != 0 }
