package prefs

import (
	"slices"
	"testing"
	"time"
)

func TestOnlyTheLatestTimesAreKept(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	var incidents []Incident
	for i := range 3 * MaxIncidentTimes {
		incidents = append(incidents, Incident{Kind: Bounce, At: start.Add(time.Duration(i) * time.Second)})
	}
	latest := start.Add(2 * MaxIncidentTimes * time.Second)
	for name, order := range map[string]func([]Incident){
		"forwards":  func([]Incident) {},
		"backwards": slices.Reverse[[]Incident],
		"inside out": func(all []Incident) {
			slices.SortFunc(all, func(a, b Incident) int { return int(a.At.Sub(latest).Abs() - b.At.Sub(latest).Abs()) })
		},
	} {
		all := slices.Clone(incidents)
		order(all)
		var d document
		d.recordAll(all)
		if d.recordAll(all) {
			t.Errorf("%s: a repetition changed the document", name)
		}
		if len(d.bounces) != MaxIncidentTimes || !d.bounces[0].Equal(latest) || !slices.IsSortedFunc(d.bounces, time.Time.Compare) {
			t.Errorf("%s: %d times from %v on; want the latest %d, from %v", name, len(d.bounces), d.bounces[0], MaxIncidentTimes, latest)
		}
	}
}

// TestRepeatedWordIsNoNews: SetFlags is made again after an answer that got lost, and must not shut out what happened in
// the same second.
func TestRepeatedWordIsNoNews(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 4, 12, 0, 0, 4e8, time.UTC)
	var d document
	if !d.setFlags(4, at) || d.setFlags(4, at) {
		t.Error("only the first of two equal calls changes anything")
	}
	if !d.record(Incident{Kind: OptOut, Flags: 2, At: at}) || d.flags != 6 {
		t.Errorf("flags = %d; want the opt-out of the same second too", d.flags)
	}
}

// TestFarFutureShutsNobodyOut: an incident with an absurd time is undone by the recipient's word, and does not make
// later opt-outs count for nothing.
func TestFarFutureShutsNobodyOut(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	var d document
	d.record(Incident{Kind: OptOut, Flags: 2, At: at.AddDate(50, 0, 0)})
	d.setFlags(1, at)
	if d.flags != 1 {
		t.Errorf("flags after the recipient's word = %d, want 1", d.flags)
	}
	d.record(Incident{Kind: OptOut, Flags: 4, At: at.Add(time.Minute)})
	if d.flags != 4 {
		t.Errorf("flags after an opt-out = %d, want 4", d.flags)
	}
}
