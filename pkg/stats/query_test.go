package stats_test

import (
	"slices"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func find(t *testing.T, s stats.Store, q stats.Query) []job.ID {
	t.Helper()
	records, err := s.Find(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var ids []job.ID
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

func wantFound(t *testing.T, s stats.Store, q stats.Query, want ...job.ID) {
	t.Helper()
	if got := find(t, s, q); !slices.Equal(got, want) {
		t.Errorf("found of %+v: %v, want %v", q, got, want)
	}
}

func TestARecipientsMailsAreFoundNewestFirstPageByPage(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		var all []job.ID // the oldest first
		add := func(minute int, recipient, uniqueID string) job.ID {
			t.Helper()
			id := job.NewID()
			settle(t, s, stats.Settlement{State: stats.Accepted, Number: 1, At: noon, Subject: stats.Subject{
				ID: id, Recipient: recipient, UniqueID: uniqueID, Created: noon.Add(time.Duration(minute) * time.Minute),
			}})
			return id
		}
		for minute := range 5 {
			all = append(all, add(minute, []string{"Ann@example.com", "ann@example.com"}[minute%2], "u"))
		}
		twins := []job.ID{add(5, "ann@example.com", "v"), add(5, "ann@example.com", "u")}
		slices.Sort(twins)
		all = append(all, twins...)
		bob := add(7, "bob@example.com", "u")
		slices.Reverse(all)

		wantFound(t, s, stats.Query{Recipient: "Ann@example.com", Limit: 10}, all...)
		for n := 1; n < len(all); n++ {
			first := find(t, s, stats.Query{Recipient: "Ann@example.com", Limit: n})
			last := lookup(t, s, first[n-1])
			rest := find(t, s, stats.Query{Recipient: "Ann@example.com", Limit: 10, Before: last})
			if got := slices.Concat(first, rest); !slices.Equal(got, all) {
				t.Errorf("pages of %d: %v, want %v", n, got, all)
			}
		}
		wantFound(t, s, stats.Query{Recipient: "bob@example.com", Limit: 10}, bob)
		wantFound(t, s, stats.Query{Recipient: "nobody@example.com", Limit: 10})
		if got := find(t, s, stats.Query{UniqueID: "u", Limit: 10}); len(got) != 7 || got[0] != bob {
			t.Errorf("found of unique ID u: %v, want 7, %s first", got, bob)
		}
		if got := find(t, s, stats.Query{Recipient: "ann@example.com", UniqueID: "v", Limit: 10}); len(got) != 1 {
			t.Errorf("found of ann and v: %v, want one", got)
		}
		if got := find(t, s, stats.Query{UniqueID: "u", Limit: 3}); len(got) != 3 {
			t.Errorf("limit 3 gives %d", len(got))
		}
	})
}

func TestMailsAreFoundHoweverOldTheyAreAndFromTheFuture(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		day := 24 * time.Hour
		var all []job.ID
		for _, age := range []time.Duration{-day, 0, time.Minute, time.Hour, 9 * time.Hour, 3 * day, 40 * day, 3000 * day, 20000 * day} {
			id := job.NewID()
			settle(t, s, stats.Settlement{State: stats.Unknown, Number: 1, At: noon, Subject: stats.Subject{
				ID: id, Recipient: "ann@example.com", UniqueID: "u", Created: time.Now().Add(-age).Truncate(time.Millisecond),
			}})
			all = append(all, id)
		}
		for _, q := range []stats.Query{{Recipient: "ann@example.com"}, {Recipient: "ann@example.com", UniqueID: "u"}, {Unknown: true}} {
			for q.Limit = 1; q.Limit <= len(all)+1; q.Limit++ {
				var got []job.ID
				for next := q; ; next.Before = lookup(t, s, got[len(got)-1]) {
					page := find(t, s, next)
					got = append(got, page...)
					if len(page) < q.Limit {
						break
					}
				}
				if !slices.Equal(got, all) {
					t.Errorf("page by page of %+v: %v, want %v", q, got, all)
				}
			}
		}
		if n, err := s.CountUnknown(t.Context(), 100); err != nil || n != len(all) {
			t.Errorf("count of unknown = %d, %v; want %d", n, err, len(all))
		}
	})
}

func TestUnknownOutcomesAreFoundUntilTheyAreKnown(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		var ids []job.ID
		for minute := range 3 {
			id := job.NewID()
			made := stats.Subject{ID: id, Recipient: "ann@example.com", Created: noon.Add(-time.Duration(minute) * time.Minute)}
			settle(t, s, stats.Settlement{Subject: made, Number: 1, State: stats.Unknown, At: noon})
			ids = append(ids, id)
		}
		settle(t, s, settlement(job.NewID(), 1, stats.Accepted), settlement(job.NewID(), 1, stats.Retrying))
		wantCount := func(atMost, want int) {
			t.Helper()
			got, err := s.CountUnknown(t.Context(), atMost)
			if err != nil || got != want {
				t.Errorf("count of unknown = %d, %v; want %d", got, err, want)
			}
		}
		wantCount(100, 3)
		wantCount(2, 2)
		wantFound(t, s, stats.Query{Unknown: true, Limit: 10}, ids...)
		wantFound(t, s, stats.Query{Unknown: true, Limit: 10, Before: lookup(t, s, ids[0])}, ids[1:]...)
		fold(t, s, stats.FoldResult{Folded: 1}, event(ids[0], job.EventProcessed, noon))
		settle(t, s, stats.Settlement{Subject: stats.Subject{ID: ids[1], Recipient: "ann@example.com"}, Number: 1, State: stats.Accepted, At: noon})
		wantCount(100, 1)
		wantFound(t, s, stats.Query{Unknown: true, Limit: 10}, ids[2])
	})
}

func TestTheLatestOfAllAreFoundByTheTimeInTheirIDs(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		ids := []job.ID{"6a0000030000000000000000", "6a0000020000000000000000", "6a0000010000000000000000"}
		for _, id := range append(ids, "ff0000000000000000000000") { // the last is derived
			settle(t, s, stats.Settlement{State: stats.Accepted, Number: 1, At: noon, Subject: stats.Subject{ID: id, Recipient: "ann@example.com"}})
		}
		wantFound(t, s, stats.Query{Limit: 10}, ids...)
		wantFound(t, s, stats.Query{Limit: 1, Before: lookup(t, s, ids[0])}, ids[1])
	})
}
