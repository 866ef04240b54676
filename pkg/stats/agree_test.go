package stats_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// TestBothStoresAgree: the SQLite store follows the rules as they are written down (entry.go), MongoDB has them in its
// own words. Whatever is asked of both, they answer and remember the same.
func TestBothStoresAgree(t *testing.T) {
	t.Parallel()
	local := open(t, storetest.SQLite(t))
	mongo := open(t, storetest.Mongo(t))
	rapid.Check(t, func(rt *rapid.T) {
		ids := []job.ID{job.NewID(), job.NewID(), job.NewID()}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			same := step(rt, ids)
			if a, b := same(local), same(mongo); !reflect.DeepEqual(a, b) {
				rt.Fatalf("sqlite answers %+v, mongo %+v", a, b)
			}
			a, err := local.Lookup(rt.Context(), ids)
			must(rt, err)
			b, err := mongo.Lookup(rt.Context(), ids)
			must(rt, err)
			for _, id := range ids {
				if !reflect.DeepEqual(a[id], b[id]) {
					rt.Fatalf("sqlite has\n%+v, mongo\n%+v", a[id], b[id])
				}
			}
		}
	})
}

// step draws a call.
func step(t *rapid.T, ids []job.ID) func(stats.Store) any {
	at := noon.Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "minute")) * time.Minute)
	number := rapid.IntRange(0, 3).Draw(t, "number")
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, 3, rapid.ID[job.ID]).Draw(t, "mails")
	switch rapid.SampledFrom([]string{"begin", "begin", "settle", "settle", "fold"}).Draw(t, "call") {
	case "begin":
		token := rapid.SampledFrom([]string{"x", "$y"}).Draw(t, "token")
		var attempts []stats.Attempt
		for i, id := range some {
			attempts = append(attempts, stats.Attempt{Subject: subject(id), Number: max(1, (number+i)%4), Token: token, At: at})
		}
		return func(s stats.Store) any {
			won, err := s.Begin(t.Context(), attempts)
			must(t, err)
			return won
		}
	case "settle":
		states := []stats.State{stats.Accepted, stats.Retrying, stats.Retrying, stats.Unknown, stats.Rejected, stats.OptedOut, stats.Dead}
		reason := rapid.SampledFrom([]string{"", "$refused"}).Draw(t, "reason")
		var settlements []stats.Settlement
		for i, id := range some {
			settlements = append(settlements, stats.Settlement{
				Subject: subject(id), Number: (number + i) % 4, Free: i, At: at, Reason: reason, MessageID: "$m",
				State: rapid.SampledFrom(states).Draw(t, "state"),
			})
		}
		return func(s stats.Store) any {
			must(t, s.Settle(t.Context(), settlements))
			return nil
		}
	}
	events := history().Draw(t, "events")[:1] // more would make every mail accepted at once
	events[0] = of(events[0], some[0])
	return func(s stats.Store) any {
		result, err := s.Fold(t.Context(), events)
		must(t, err)
		return result
	}
}
