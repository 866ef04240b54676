package stats_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func TestEventsSetTheFlagsOf040(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		for kind, want := range map[string]int64{
			job.EventProcessed: 0, job.EventDeferred: 0, job.EventClick: 0, job.EventUnsubscribe: 0,
			job.EventDelivered: 2, job.EventSpamReport: 4, job.EventBounce: 8, job.EventDropped: 16, job.EventOpen: 32,
		} {
			id := job.NewID()
			begin(t, s, attempt(id, 1, "one"))
			fold(t, s, stats.FoldResult{Folded: 1}, event(id, kind, noon.Add(time.Hour)))
			got := lookup(t, s, id)
			if got.StateFlags != want || !got.Evidence[kind].Equal(noon.Add(time.Hour)) || len(got.Evidence) != 1 {
				t.Errorf("after %s: state flags %d, evidence %v; want %d", kind, got.StateFlags, got.Evidence, want)
			}
			if !got.Updated.Equal(noon.Add(time.Hour)) || got.Outcome() != stats.Accepted {
				t.Errorf("after %s: updated %v, outcome %s", kind, got.Updated, got.Outcome())
			}
		}
	})
}

func TestEventsThatBecomeNoFieldsStillProve(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		id := job.NewID()
		begin(t, s, attempt(id, 1, "one"))
		machine := event(id, job.EventOpen, noon)
		machine.Machine = true
		fold(t, s, stats.FoldResult{Folded: 3}, machine, event(id, "$set.s", noon), event(id, "a.b", time.Time{}))
		got := lookup(t, s, id)
		want := map[string]time.Time{"machine_open": noon, "other": {}}
		if !reflect.DeepEqual(got.Evidence, want) || got.StateFlags != stats.FlagOpened {
			t.Errorf("evidence = %v, state flags = %d; want %v and opened", got.Evidence, got.StateFlags, want)
		}
	})
}

func TestEventsOfUnknownMailsChangeNothing(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		known, unknown := job.NewID(), job.NewID()
		begin(t, s, attempt(known, 1, "one"))
		bounce := event(known, job.EventBounce, noon)
		bounce.Reason = "550"
		for range 2 {
			fold(t, s, stats.FoldResult{Folded: 2, Unknown: 3},
				event(unknown, job.EventOpen, noon), bounce, event(known, job.EventOpen, noon),
				event("", job.EventAccountStatus, noon), event("not an id", job.EventOpen, noon))
		}
		fold(t, s, stats.FoldResult{})
		if got := lookup(t, s, unknown); got != nil {
			t.Errorf("record out of nothing: %+v", got)
		}
	})
}

func TestEventBeforeTheAcceptIsKept(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		id := job.NewID()
		begin(t, s, attempt(id, 1, "one"))
		fold(t, s, stats.FoldResult{Folded: 1}, event(id, job.EventDelivered, noon.Add(time.Second)))
		accepted := settlement(id, 1, stats.Accepted)
		accepted.MessageID = "message"
		settle(t, s, accepted)
		got := lookup(t, s, id)
		if got.StateFlags != stats.FlagDelivered || len(got.Evidence) != 1 || got.MessageID != "message" {
			t.Errorf("record = %+v; want the event and the accept", got)
		}
	})
}

// history generates events of few mails, types and times, so that they meet.
func history() *rapid.Generator[[]job.Event] {
	mails := []job.ID{"a", "b", "nobody's"}
	kinds := []string{job.EventProcessed, job.EventDelivered, job.EventBounce, job.EventDropped, job.EventOpen, "newer"}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) job.Event {
		return job.Event{
			StatsID: rapid.SampledFrom(mails).Draw(t, "mail"),
			Type:    rapid.SampledFrom(kinds).Draw(t, "type"),
			At:      noon.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "second")) * time.Second),
			Reason:  rapid.SampledFrom([]string{"", "550", "mailbox full", "é"}).Draw(t, "reason"),
			Machine: rapid.Bool().Draw(t, "machine"),
			Email:   rapid.SampledFrom([]string{"", "ann@example.com", "ANN@Example.com", "cc@example.com"}).Draw(t, "email"),
			Fold:    rapid.SampledFrom([]string{"", "ours", "9.newer"}).Draw(t, "fold"),
		}
	}), 1, 25)
}

// of makes an event one of an email: its Fold "ours" becomes that of the email.
func of(e job.Event, id job.ID) job.Event {
	e.StatsID = id
	if e.Fold == "ours" {
		e.Fold = (&job.Email{ID: id, To: subject(id).Recipient, CC: []job.Address{{Email: "cc@example.com"}}}).Fold()
	}
	return e
}

func TestOnlyEventsAboutToSetFlagsAndReason(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		for _, fold := range []string{"", "ours", "9.newer"} {
			id := job.NewID()
			begin(t, s, attempt(id, 1, "one"))
			bounce := of(job.Event{Type: job.EventBounce, At: noon, Email: "cc@example.com", Reason: "550 cc", Fold: fold}, id)
			spam := of(job.Event{Type: job.EventSpamReport, At: noon, Email: "CC@example.com", Fold: fold}, id)
			if result, err := s.Fold(t.Context(), []job.Event{bounce, spam}); err != nil || result.Folded != 2 {
				t.Fatalf("%+v, %v", result, err)
			}
			got := lookup(t, s, id)
			want := map[string]time.Time{"copy_bounce": noon, "copy_spamreport": noon}
			if got.StateFlags != 0 || got.Error != "" || !reflect.DeepEqual(got.Evidence, want) || got.Outcome() != stats.Accepted {
				t.Errorf("fold %q, after the cc's events: flags %d, error %q, evidence %v, %s", fold, got.StateFlags, got.Error, got.Evidence, got.Outcome())
			}
			bounce.Email, bounce.Reason = "ann@example.com", "550 to"
			if _, err := s.Fold(t.Context(), []job.Event{bounce}); err != nil {
				t.Fatal(err)
			}
			if got = lookup(t, s, id); got.StateFlags != stats.FlagBounced || got.Error != "550 to" {
				t.Errorf("fold %q, after the to's bounce: flags %d, error %q", fold, got.StateFlags, got.Error)
			}
		}
	})
}

// TestFoldCommutes: any order, any repetition and any split of the same events, before or after the ledger's accept,
// give the same records.
func TestFoldCommutes(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		rapid.Check(t, func(rt *rapid.T) {
			events := history().Draw(rt, "events")
			seed := rapid.Uint64().Draw(rt, "seed")
			var want []stats.Record
			for variant := range uint64(3) {
				got := replay(rt, s, events, rand.New(rand.NewPCG(seed, variant)))
				if want == nil {
					want = got
				}
				if !reflect.DeepEqual(got, want) {
					rt.Fatalf("records differ:\n%+v\n%+v", got, want)
				}
			}
		})
	})
}

// replay folds the events into mails of its own, and returns their records with the differences taken out. What happens
// to mail a happens to ten others as well.
func replay(t *rapid.T, s stats.Store, events []job.Event, r *rand.Rand) []stats.Record {
	names := map[job.ID][]job.ID{"a": nil, "b": {job.NewID()}, "nobody's": {job.NewID()}}
	for range 11 {
		names["a"] = append(names["a"], job.NewID())
	}
	again := slices.Clone(events)
	for range r.IntN(len(events) + 1) {
		again = append(again, events[r.IntN(len(events))])
	}
	r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	mails := slices.Concat(names["a"], names["b"])
	var attempts []stats.Attempt
	var settlements []stats.Settlement
	for _, id := range mails {
		attempts = append(attempts, attempt(id, 1, "one"))
		settlements = append(settlements, settlement(id, 1, stats.Accepted))
	}
	must(t, second(s.Begin(t.Context(), attempts)))
	settleAt := r.IntN(len(again))
	for n := 0; n < len(again); {
		end := n + 1 + r.IntN(len(again)-n)
		var some []job.Event
		for _, e := range again[n:end] {
			for _, id := range names[e.StatsID] {
				some = append(some, of(e, id))
			}
		}
		must(t, second(s.Fold(t.Context(), some)))
		if n <= settleAt && settleAt < end {
			must(t, s.Settle(t.Context(), settlements))
		}
		n = end
	}
	records, err := s.Lookup(t.Context(), append(mails, names["nobody's"]...))
	must(t, err)
	if len(records) != len(mails) {
		t.Fatalf("%d records, want %d", len(records), len(mails))
	}
	var result []stats.Record
	for _, id := range mails {
		record := *records[id]
		record.ID = ""
		result = append(result, record)
	}
	return result
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestLatestReasonStands(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		id := job.NewID()
		begin(t, s, attempt(id, 1, "one"))
		for i, tc := range []struct {
			kind, reason string
			second       int
			want         string
		}{
			{job.EventDeferred, "try later", 9, ""},
			{job.EventBounce, "550", 2, "550"},
			{job.EventDropped, "older", 1, "550"},
			{job.EventDropped, "551", 2, "551"}, // of two at once, the greater
			{job.EventBounce, "", 5, "551"},
			{job.EventBounce, "552", 3, "552"},
		} {
			e := event(id, tc.kind, noon.Add(time.Duration(tc.second)*time.Second))
			e.Reason = tc.reason
			fold(t, s, stats.FoldResult{Folded: 1}, e)
			if got := lookup(t, s, id).Error; got != tc.want {
				t.Errorf("error after event %d = %q, want %q", i, got, tc.want)
			}
		}
	})
}

func TestManyEventsAreFoldedAtOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		var attempts []stats.Attempt
		var events []job.Event
		const n = 2500
		for i := range n {
			attempts = append(attempts, attempt(job.NewID(), 1, "one"))
			events = append(events, event(attempts[i].ID, job.EventDelivered, noon),
				event(attempts[i].ID, job.EventOpen, noon.Add(time.Duration(i%3)*time.Second)))
		}
		for some := range slices.Chunk(attempts, 500) {
			begin(t, s, some...)
		}
		fold(t, s, stats.FoldResult{Folded: 2 * n}, events...)
		for _, i := range []int{0, 1, 2, n - 1} {
			got := lookup(t, s, attempts[i].ID)
			want := fmt.Sprint(map[string]time.Time{"delivered": noon, "open": noon.Add(time.Duration(i%3) * time.Second)})
			if fmt.Sprint(got.Evidence) != want || got.StateFlags != stats.FlagDelivered|stats.FlagOpened {
				t.Errorf("mail %d: evidence = %v, flags %d; want %v", i, got.Evidence, got.StateFlags, want)
			}
		}
	})
}
