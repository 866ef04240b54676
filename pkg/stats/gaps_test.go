package stats_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// TestGapsAreAcceptedMailsOfWhichNoEventCame: a lost webhook has to be seen.
func TestGapsAreAcceptedMailsOfWhichNoEventCame(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		settled := func(state stats.State, at time.Time) job.ID {
			t.Helper()
			settlement := settlement(job.NewID(), 1, state)
			settlement.At = at
			begin(t, s, attempt(settlement.ID, 1, "one"))
			settle(t, s, settlement)
			return settlement.ID
		}
		later, earlier := settled(stats.Accepted, noon.Add(2*time.Hour)), settled(stats.Accepted, noon.Add(time.Hour))
		settled(stats.Accepted, noon.Add(3*time.Hour)) // too late to be asked for
		for _, state := range []stats.State{stats.Retrying, stats.Unknown, stats.Rejected, stats.Dead, stats.OptedOut} {
			settled(state, noon.Add(time.Hour))
		}
		for _, kind := range []string{job.EventProcessed, job.EventDelivered, job.EventOpen, "of another kind"} {
			fold(t, s, stats.FoldResult{Folded: 1}, event(settled(stats.Accepted, noon.Add(time.Hour)), kind, noon))
		}
		gaps := func() (ids []job.ID) {
			t.Helper()
			err := s.Gaps(t.Context(), noon.Add(3*time.Hour), func(r *stats.Record) error {
				ids = append(ids, r.ID)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return ids
		}
		if got := gaps(); !slices.Equal(got, []job.ID{earlier, later}) {
			t.Errorf("gaps = %v, want %s and %s", got, earlier, later)
		}
		fold(t, s, stats.FoldResult{Folded: 1}, event(earlier, job.EventProcessed, noon))
		if got := gaps(); !slices.Equal(got, []job.ID{later}) {
			t.Errorf("gaps = %v, want %s alone once an event came of the other", got, later)
		}
		enough := errors.New("enough")
		if err := s.Gaps(t.Context(), noon.Add(3*time.Hour), func(*stats.Record) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("error %v, want the caller's own", err)
		}
	})
}
