package prefs

import (
	"iter"
	"math/bits"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A document is what is stored for one recipient. Every store reads it, lets the methods below change it and writes
// it back only if nobody else has in between, so the rules are here and nowhere else.
//
// Each bit of the flags is a register of its own: it stands as the latest that was said of it, by the recipient
// (own, since) or by SendGrid (outs, ins), and an opt-out wins a tie. Latest is a maximum and a set of times is a
// set, so incidents commute and may repeat.
type document struct {
	flags   int64             // what all of the below comes to; 0: nobody ever said anything
	own     int64             // the recipient's own word
	since   time.Time         // when it was given, to the second; incidents before it are spent
	outs    map[int]time.Time // by bit: the latest OptOut since
	ins     map[int]time.Time // by bit: the latest OptIn since
	bounces []time.Time       // sorted, no more than MaxIncidentTimes, as are:
	spam    []time.Time
	updated time.Time
}

// skew is how far SendGrid's clock may be ahead of ours. An incident from further ahead does not take part in telling
// what was known when the recipient spoke.
const skew = time.Hour

// setFlags makes flags the recipient's own word, and tells whether that changed anything. What was known when they
// spoke is thereby spent even if SendGrid dated it in the same second or, its clock being ahead, a little later.
func (d *document) setFlags(flags int64, at time.Time) bool {
	if flags == 0 {
		flags = job.FlagsAllAllowed
	}
	since := second(at)
	if d.flags == flags && d.own == flags && !since.After(d.since) {
		return false // this call has been made before
	}
	since = later(since, d.since)
	for _, times := range []map[int]time.Time{d.outs, d.ins} {
		for _, t := range times {
			if !t.Before(since) && t.Before(at.Add(skew)) {
				since = t.Add(time.Second)
			}
		}
	}
	d.flags, d.own, d.since = flags, flags, since
	d.outs, d.ins = nil, nil
	d.updated = later(d.updated, millisecond(at))
	return true
}

// record adds an incident and tells whether that changed anything.
func (d *document) record(in Incident) bool {
	at := second(in.At)
	changed := false
	switch in.Kind {
	case Bounce:
		changed = insert(&d.bounces, at)
	case SpamReport:
		changed = insert(&d.spam, at)
	case OptOut:
		changed = d.say(&d.outs, in.Flags, at)
	case OptIn:
		changed = d.say(&d.ins, in.Flags, at)
	}
	if changed {
		d.updated = later(d.updated, at)
	}
	return changed
}

// recordAll adds incidents and tells whether any of them changed anything.
func (d *document) recordAll(incidents []Incident) bool {
	changed := false
	for _, in := range incidents {
		changed = d.record(in) || changed
	}
	return changed
}

// lost counts the incidents that opt out of something which is allowed all the same.
func (d *document) lost(incidents []Incident) int {
	n := 0
	for _, in := range incidents {
		if in.Kind == OptOut && in.Flags&^d.flags&^job.FlagsAllAllowed != 0 {
			n++
		}
	}
	return n
}

// say notes at in times for each of the flags, and works out what that comes to.
func (d *document) say(times *map[int]time.Time, flags int64, at time.Time) bool {
	if at.Before(d.since) {
		return false
	}
	changed := false
	for bit := range bitsOf(flags) {
		if old, ok := (*times)[bit]; ok && !at.After(old) {
			continue
		}
		if *times == nil {
			*times = map[int]time.Time{}
		}
		(*times)[bit], changed = at, true
	}
	if changed {
		d.settle()
	}
	return changed
}

// settle works the flags out from what was said of each bit. It is due after every change of outs or ins; until the
// first, the recipient's own word stands to the letter.
func (d *document) settle() {
	var flags int64
	for bit := range 64 {
		if _, out := d.optedOut(bit); out {
			flags |= 1 << bit
		}
	}
	if flags == 0 {
		flags = job.FlagsAllAllowed
	}
	d.flags = flags
}

// optedOut tells whether and when the recipient opted out of the kind of mail that bit stands for.
func (d *document) optedOut(bit int) (time.Time, bool) {
	at, out := d.outs[bit]
	if d.own>>bit&1 == 1 && bit > 0 && (!out || d.since.After(at)) {
		at, out = d.since, true
	}
	in, ok := d.ins[bit]
	return at, out && !(ok && in.After(at))
}

// take adds the opt-outs of from, each with its time, or as late as it must be to stand here: those of d remain.
func (d *document) take(from *document) bool {
	changed := false
	for bit := range bitsOf(from.flags) {
		if _, out := d.optedOut(bit); out {
			continue
		}
		at, _ := from.optedOut(bit)
		at = later(later(at, d.ins[bit]), d.since)
		if d.outs == nil {
			d.outs = map[int]time.Time{}
		}
		d.outs[bit], changed = at, true
		d.updated = later(d.updated, at)
	}
	if changed {
		d.settle()
	}
	return changed
}

// restricts tells whether there is any opt-out to move.
func (d *document) restricts() bool { return d.flags&^job.FlagsAllAllowed != 0 }

// clear takes the opt-outs away after they have been copied elsewhere. What happened to the address remains.
func (d *document) clear(at time.Time) bool { return d.setFlags(job.FlagsAllAllowed, at) }

// insert adds at to a sorted set of times that keeps the latest MaxIncidentTimes, and tells whether it is new there.
func insert(times *[]time.Time, at time.Time) bool {
	i, found := slices.BinarySearchFunc(*times, at, time.Time.Compare)
	if found || i == 0 && len(*times) >= MaxIncidentTimes {
		return false
	}
	all := slices.Insert(*times, i, at)
	*times = all[max(0, len(all)-MaxIncidentTimes):]
	return true
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
