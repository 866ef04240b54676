package stats_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// SendGrid repeats events and tells of one mail in many POSTs, so folders meet over the same mails all the time. They
// wait for each other but never in a circle, which a database ends by failing one of them.
func TestFoldersOfTheSameMailsDoNotFailEachOther(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		var attempts []stats.Attempt
		var events []job.Event
		for i := range 400 {
			id := job.NewID()
			attempts = append(attempts, attempt(id, 1, "one"))
			at := noon.Add(time.Duration(i%3) * time.Second) // so that some mails have the same to be told, and some not
			events = append(events, event(id, job.EventDelivered, at), event(id, job.EventOpen, noon.Add(time.Duration(i)*time.Second)))
		}
		begin(t, s, attempts...)
		var folders errgroup.Group
		for range 4 {
			folders.Go(func() error {
				for range 10 {
					some := slices.Clone(events)
					rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
					if _, err := s.Fold(t.Context(), some[:len(some)/2]); err != nil {
						return err
					}
				}
				return nil
			})
		}
		folders.Go(func() error { // and a sender over them all
			for some := range slices.Chunk(attempts, 100) {
				var settlements []stats.Settlement
				for _, a := range some {
					settlements = append(settlements, settlement(a.ID, 1, stats.Accepted))
				}
				rand.Shuffle(len(some), func(i, j int) { settlements[i], settlements[j] = settlements[j], settlements[i] })
				if err := s.Settle(t.Context(), settlements); err != nil {
					return err
				}
			}
			return nil
		})
		if err := folders.Wait(); err != nil {
			t.Error(err)
		}
	})
}
