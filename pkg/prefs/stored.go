package prefs

import (
	"maps"
	"slices"
	"time"
)

// state is a document as the stores keep it. What 25f7307 had keeps its meaning, as far as it goes: own, since, the
// latest of outs and ins. It drops or leaves alone what it did not have.
type state struct {
	Flags   int64             `json:"f,omitempty"`
	Own     int64             `json:"of,omitempty"`
	Since   time.Time         `json:"ot,omitzero"`
	Outs    map[int]time.Time `json:"o,omitempty"` // the latest
	Ins     map[int]time.Time `json:"i,omitempty"`
	Bounces []time.Time       `json:"b,omitempty"`
	Spam    []time.Time       `json:"s,omitempty"`
	Updated time.Time         `json:"ts"`

	// Word is Since as this version wrote it: if they differ, a 25f7307 has written another word since.
	Word    time.Time           `json:"ow,omitzero"`
	AllOuts map[int][]time.Time `json:"oa,omitempty"` // where Outs is not all of them
	Before  map[int]time.Time   `json:"sb,omitempty"` // spending
	Known   map[int][]time.Time `json:"sk,omitempty"`
	OldWord time.Time           `json:"od,omitzero"`
}

// state returns what there is to store of d, but for moved.
func (d *document) state() state {
	s := state{
		Flags: d.flags, Own: d.own, Since: d.since, Outs: map[int]time.Time{}, Ins: d.ins, Bounces: d.bounces, Spam: d.spam,
		Updated: d.updated, Word: d.since, AllOuts: map[int][]time.Time{}, Before: map[int]time.Time{},
		Known: map[int][]time.Time{}, OldWord: d.oldWord,
	}
	for bit, times := range d.outs {
		s.Outs[bit] = times[len(times)-1]
		if len(times) > 1 {
			s.AllOuts[bit] = times
		}
	}
	for bit, spent := range d.spent {
		s.Before[bit] = spent.before
		if len(spent.known) > 0 {
			s.Known[bit] = spent.known
		}
	}
	return s
}

// document returns what s says.
func (s *state) document() document {
	d := document{
		flags: s.Flags, own: s.Own, since: s.Since.UTC(), outs: map[int][]time.Time{}, ins: maps.Clone(s.Ins), spent: map[int]spending{},
		bounces: sorted(s.Bounces), spam: sorted(s.Spam), updated: s.Updated.UTC(), oldWord: s.OldWord.UTC(),
	}
	for bit, before := range s.Before {
		d.spent[bit] = spending{before.UTC(), sorted(s.Known[bit])}
	}
	for bit, at := range s.Outs {
		d.outs[bit] = []time.Time{at.UTC()}
	}
	isOurs := s.Word.Equal(s.Since)
	if !isOurs {
		d.oldWord = later(d.oldWord, d.since)
	}
	for bit, times := range s.AllOuts {
		times = sorted(times)
		if _, out := d.outs[bit]; isOurs && out {
			d.outs[bit] = union(d.outs[bit], times, maxOuts)
			continue
		}
		spent := d.spent[bit]
		spent.known = union(spent.known, times, maxOuts)
		d.spent[bit] = spent
	}
	return d
}

// sorted makes a set of a list of times.
func sorted(times []time.Time) []time.Time {
	times = slices.Clone(times)
	for i := range times {
		times[i] = times[i].UTC()
	}
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	return times[max(0, len(times)-MaxIncidentTimes):]
}

// movedTo is one of document.moved, whose keys cannot be names of fields in MongoDB.
type movedTo struct {
	Key string    `json:"k" bson:"k"`
	At  time.Time `json:"t" bson:"t"`
}

func (d *document) movedTo() []movedTo {
	list := make([]movedTo, 0, len(d.moved))
	for _, key := range slices.Sorted(maps.Keys(d.moved)) {
		list = append(list, movedTo{key, d.moved[key]})
	}
	return list
}

func movedFrom(list []movedTo) map[string]time.Time {
	moved := make(map[string]time.Time, len(list))
	for _, m := range list {
		moved[m.Key] = m.At.UTC()
	}
	return moved
}
