package prefs_test

import (
	"context"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/prefs"
)

// mark leaves an address as Move does that was killed after its mark, or as one that was killed before it.
func mark(t *testing.T, s prefs.Store, address string, moved ...string) {
	t.Helper()
	list := bson.A{}
	for _, key := range moved {
		list = append(list, bson.D{{Key: "k", Value: key}, {Key: "t", Value: noon}})
	}
	_, err := prefs.Emails(s).UpdateByID(t.Context(), address, bson.D{{Key: "$set", Value: bson.D{{Key: "mv", Value: list}}}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFoldThatWasKilledHalfWayIsFinishedByTheNext: the events are not acked, so they come again. (SQLite writes both in one
// transaction.)
func TestFoldThatWasKilledHalfWayIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Mongo(t))
	unsubscribed := out("old@example.com", 4, noon)
	record(t, s, unsubscribed)
	mark(t, s, "old@example.com", "new@example.com") // it is recorded for the old address, and not yet for the new
	wantFlags(t, s, "new@example.com", 0)
	record(t, s, unsubscribed)
	wantFlags(t, s, "new@example.com", 4)
}

// TestMoveThatWasKilledHalfWayIsFinishedByTheNextCall: until then the old address is as it was.
func TestMoveThatWasKilledHalfWayIsFinishedByTheNextCall(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Mongo(t))
	record(t, s, out("old@example.com", 4, noon))
	move(t, s, "old@example.com", "new@example.com")
	mark(t, s, "old@example.com")
	wantFlags(t, s, "old@example.com", 4)
	record(t, s, out("old@example.com", 8, noon))
	move(t, s, "old@example.com", "new@example.com")
	wantFlags(t, s, "new@example.com", 4|8)
	record(t, s, out("old@example.com", 16, noon))
	wantFlags(t, s, "new@example.com", 4|8|16)
}

// TestFoldAndMoveAtOnceLoseNothing, whichever writes first.
func TestFoldAndMoveAtOnceLoseNothing(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		for i := range 30 {
			from, to := fmt.Sprintf("old%d@bücher.example", i), fmt.Sprintf("new%d@example.com", i)
			ctx := context.WithoutCancel(t.Context())
			var group errgroup.Group
			group.Go(func() error { return s.Move(ctx, from, to, noon) })
			for bit := range 3 {
				group.Go(func() error {
					_, err := s.Record(ctx, []prefs.Incident{out(from, 2<<bit, noon)})
					return err
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			wantFlags(t, s, from, 2|4|8)
			wantFlags(t, s, to, 2|4|8)
		}
	})
}
