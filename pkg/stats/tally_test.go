package stats_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// TestTallyCountsWhatSendGridHas by flags and outcome, of a stretch of time and no other.
func TestTallyCountsWhatSendGridHas(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		n := byte(0)
		at := func(when time.Time, flags int64, state stats.State, events ...string) {
			t.Helper()
			n++
			seconds := uint32(when.Unix())
			id := job.ID(hex.EncodeToString([]byte{byte(seconds >> 24), byte(seconds >> 16), byte(seconds >> 8), byte(seconds), 0, 0, 0, 0, 0, 0, 0, n}))
			a := attempt(id, 1, "one")
			a.EmailFlags = flags
			begin(t, s, a)
			end := settlement(id, 1, state)
			end.EmailFlags = flags
			settle(t, s, end)
			for _, kind := range events {
				fold(t, s, stats.FoldResult{Folded: 1}, event(id, kind, noon))
			}
		}
		day := noon.Truncate(24 * time.Hour)
		at(day.Add(-time.Second), 2, stats.Accepted, job.EventDelivered)
		at(day, 2, stats.Accepted, job.EventDelivered)
		at(day.Add(time.Hour), 2, stats.Accepted, job.EventDelivered)
		at(day.Add(2*time.Hour), 4, stats.Accepted, job.EventBounce)
		at(day.Add(3*time.Hour), 4, stats.Accepted)
		at(day.Add(4*time.Hour), 4, stats.Unknown, job.EventProcessed) // an event proves it
		at(day.Add(5*time.Hour), 4, stats.Unknown)
		at(day.Add(6*time.Hour), 4, stats.Rejected)
		at(day.Add(24*time.Hour), 2, stats.Accepted)
		tallies, err := s.Tally(t.Context(), day, day.Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		got := map[[2]int64]int{}
		for _, tally := range tallies {
			got[[2]int64{tally.EmailFlags, tally.StateFlags}] += tally.Mails
		}
		want := map[[2]int64]int{{2, stats.FlagDelivered}: 2, {4, stats.FlagBounced}: 1, {4, 0}: 2}
		if len(got) != len(want) {
			t.Errorf("tallies %v, want %v", got, want)
		}
		for k, n := range want {
			if got[k] != n {
				t.Errorf("flags and state %v: %d, want %d", k, got[k], n)
			}
		}
	})
}
