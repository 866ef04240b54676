package stats_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func TestLedgerTellsTheWholeLifeOfAMail(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		id := job.NewID()
		if got := lookup(t, s, id); got != nil {
			t.Fatalf("record of an unknown mail = %+v", got)
		}
		want := stats.Record{
			ID: id, Recipient: "Ann@example.com", EmailFlags: 4, UniqueID: "welcome", Env: "dev",
			Created: noon, Updated: noon.Add(time.Minute),
			State: stats.Attempting, Attempts: 1, Attempted: noon.Add(time.Minute), Token: "one",
		}
		wantBegin(t, s, attempt(id, 1, "one"), true)
		wantRecord(t, s, want)

		retry := settlement(id, 1, stats.Retrying)
		retry.At, retry.Reason, retry.Free = noon.Add(90*time.Second), "429: later", 1
		retry.Failed, retry.Failing = 2, 90*time.Minute
		settle(t, s, retry)
		want.State, want.Updated, want.Reason, want.Free = stats.Retrying, retry.At, retry.Reason, 1
		want.Failed, want.Failing = 2, 90*time.Minute
		wantRecord(t, s, want)

		wantBegin(t, s, attempt(id, 2, "two"), true)
		want.State, want.Attempts, want.Token = stats.Attempting, 2, "two"
		want.Attempted, want.Updated = noon.Add(2*time.Minute), noon.Add(2*time.Minute)
		wantRecord(t, s, want)

		done := settlement(id, 2, stats.Accepted)
		done.MessageID, done.Free = "message", 1
		for range 2 {
			settle(t, s, done)
			want.State, want.MessageID, want.Reason, want.Updated = stats.Accepted, "message", "", done.At
			wantRecord(t, s, want)
		}
	})
}

func TestOfTwoWorkersOneWins(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		id := job.NewID()
		for number := 1; number <= 3; number++ {
			const workers = 6
			wins := make(chan string, workers)
			var group errgroup.Group
			for w := range workers {
				group.Go(func() error {
					token := fmt.Sprintf("%d.%d", number, w)
					won, err := s.Begin(context.WithoutCancel(t.Context()), []stats.Attempt{attempt(id, number, token)})
					if err == nil && won[0] {
						wins <- token
					}
					return err
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			if len(wins) != 1 {
				t.Fatalf("attempt %d was won %d times", number, len(wins))
			}
			winner := <-wins
			wantBegin(t, s, attempt(id, number, winner), true) // asked again after an answer that got lost
			wantBegin(t, s, attempt(id, number, "late"), false)
			settle(t, s, settlement(id, number, stats.Retrying))
		}
	})
}

func TestOneBatchHoldsWinnersAndLosers(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		fresh, taken, second, skipped, done, twice := job.NewID(), job.NewID(), job.NewID(), job.NewID(), job.NewID(), job.NewID()
		begin(t, s, attempt(taken, 1, "other"), attempt(second, 1, "one"), attempt(skipped, 1, "one"), attempt(done, 1, "one"))
		settle(t, s, settlement(second, 1, stats.Unknown), settlement(done, 1, stats.Accepted))
		got := begin(t, s, attempt(fresh, 1, "mine"), attempt(taken, 1, "mine"), attempt(second, 2, "mine"),
			attempt(skipped, 3, "mine"), attempt(done, 2, "mine"), attempt(twice, 1, "mine"), attempt(twice, 1, "theirs"))
		want := []bool{true, false, true, false, false}
		if fmt.Sprint(got[:5]) != fmt.Sprint(want) || got[5] == got[6] {
			t.Errorf("won = %v, want %v and one of the last two", got, want)
		}
	})
}

func TestAcceptedMailIsNeverAttemptedAgain(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		byAnswer, byEvent := job.NewID(), job.NewID()
		begin(t, s, attempt(byAnswer, 1, "one"), attempt(byEvent, 1, "one"))
		settle(t, s, settlement(byAnswer, 1, stats.Accepted), settlement(byEvent, 1, stats.Unknown))
		fold(t, s, stats.FoldResult{Folded: 1}, event(byEvent, job.EventProcessed, noon))
		for _, id := range []job.ID{byAnswer, byEvent} {
			wantBegin(t, s, attempt(id, 2, "two"), false)
			wantBegin(t, s, attempt(id, 1, "one"), false)
			for _, state := range []stats.State{stats.Retrying, stats.Unknown, stats.Rejected, stats.Dead, stats.Expired} {
				settle(t, s, settlement(id, 1, state))
			}
			wantOutcome(t, s, id, stats.Accepted)
		}
	})
}

// What was rejected, dropped or given up stays that until a requeue makes it retrying, whether or not it was attempted.
func TestOnlyARequeueOpensAFinishedRecord(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		for _, state := range []stats.State{stats.Rejected, stats.OptedOut, stats.Expired, stats.Dead} {
			for number := range 2 {
				id := job.NewID()
				if number > 0 {
					begin(t, s, attempt(id, number, "one"))
				}
				settle(t, s, settlement(id, number, state))
				wantBegin(t, s, attempt(id, number+1, "two"), false)
				wantBegin(t, s, attempt(id, number, "one"), false)
				wantOutcome(t, s, id, state)
				settle(t, s, settlement(id, number, stats.Retrying))
				wantBegin(t, s, attempt(id, number+1, "three"), true)
			}
		}
	})
}

func TestOnlyTheLatestAttemptIsSettled(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		id := job.NewID()
		begin(t, s, attempt(id, 1, "one"))
		settle(t, s, settlement(id, 1, stats.Unknown))
		begin(t, s, attempt(id, 2, "two"))
		settle(t, s, settlement(id, 1, stats.Rejected), settlement(id, 3, stats.Rejected), settlement(id, 0, stats.OptedOut))
		wantOutcome(t, s, id, stats.Attempting)
		settle(t, s, settlement(id, 1, stats.Accepted)) // the answer to the first came late, but it came
		wantOutcome(t, s, id, stats.Accepted)
		if got := lookup(t, s, id); got.Attempts != 2 {
			t.Errorf("attempts = %d, want 2", got.Attempts)
		}
	})
}

func TestSettlementMakesTheRecordThatIsMissing(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		for number, state := range map[int]stats.State{0: stats.OptedOut, 1: stats.Accepted, 2: stats.Dead} {
			made := settlement(job.NewID(), number, state)
			for range 2 {
				settle(t, s, made)
				wantRecord(t, s, stats.Record{
					ID: made.ID, Recipient: "Ann@example.com", EmailFlags: 4, UniqueID: "welcome", Env: "dev",
					Created: noon, Updated: made.At, State: state, Attempts: number,
				})
			}
		}
		settle(t, s)
	})
}

func TestMailThatWasNotSentCanBeAttemptedLater(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		id := job.NewID()
		settle(t, s, settlement(id, 0, stats.Dead))
		settle(t, s, settlement(id, 0, stats.Retrying)) // requeued by its operator
		wantBegin(t, s, attempt(id, 1, "one"), true)
		wantBegin(t, s, attempt(id, 1, "two"), false)
		wantOutcome(t, s, id, stats.Attempting)
	})
}

func TestReasonOfARejectionIsShownUntilABounceHasOne(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		id := job.NewID()
		begin(t, s, attempt(id, 1, "one"))
		rejected := settlement(id, 1, stats.Rejected)
		rejected.Reason = strings.Repeat("x", 1023) + "é and more"
		settle(t, s, rejected)
		shown := strings.Repeat("x", 1023)
		if got := lookup(t, s, id); got.Error != shown || got.Reason != shown {
			t.Errorf("error = %q, reason = %q; want the rejection's, cut to 1024 bytes", got.Error, got.Reason)
		}
		bounce := event(id, job.EventBounce, noon)
		bounce.Reason = "550"
		fold(t, s, stats.FoldResult{Folded: 1}, bounce)
		if got := lookup(t, s, id); got.Error != "550" || got.Reason != shown {
			t.Errorf("error = %q, reason = %q; want the bounce's and the rejection's", got.Error, got.Reason)
		}
	})
}

func TestBadIDIsAnError(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		if _, err := s.Begin(t.Context(), []stats.Attempt{attempt("no id", 1, "one")}); err == nil {
			t.Error("Begin took a bad id")
		}
		if err := s.Settle(t.Context(), []stats.Settlement{settlement("no id", 1, stats.Accepted)}); err == nil {
			t.Error("Settle took a bad id")
		}
		if _, err := s.Lookup(t.Context(), []job.ID{"no id"}); err == nil {
			t.Error("Lookup took a bad id")
		}
	})
}
