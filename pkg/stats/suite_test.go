package stats_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// noon is a time that SendGrid could have given: to the second.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// onEachStore runs a test on both stores.
func onEachStore(t *testing.T, test func(t *testing.T, s stats.Store)) {
	storetest.OnEach(t, func(t *testing.T, s *store.Stores) { test(t, s.Stats) })
}

func open(tb testing.TB, cfg store.Config) stats.Store {
	tb.Helper()
	return storetest.Open(tb, cfg).Stats
}

func subject(id job.ID) stats.Subject {
	return stats.Subject{ID: id, Recipient: "Ann@example.com", EmailFlags: 4, UniqueID: "welcome", Env: "dev", Created: noon}
}

func attempt(id job.ID, number int, token string) stats.Attempt {
	return stats.Attempt{Subject: subject(id), Number: number, Token: token, At: noon.Add(time.Duration(number) * time.Minute)}
}

func settlement(id job.ID, number int, state stats.State) stats.Settlement {
	return stats.Settlement{Subject: subject(id), Number: number, State: state, At: noon.Add(time.Hour)}
}

func event(id job.ID, kind string, at time.Time) job.Event {
	return job.Event{StatsID: id, Type: kind, At: at, Email: "ann@example.com"}
}

func begin(tb testing.TB, s stats.Store, attempts ...stats.Attempt) []bool {
	tb.Helper()
	won, err := s.Begin(tb.Context(), attempts)
	if err != nil {
		tb.Fatal(err)
	}
	return won
}

func wantBegin(t *testing.T, s stats.Store, a stats.Attempt, want bool) {
	t.Helper()
	if got := begin(t, s, a); !slices.Equal(got, []bool{want}) {
		t.Errorf("attempt %d of %s with token %s: won = %v, want %v", a.Number, a.ID, a.Token, got, want)
	}
}

func settle(tb testing.TB, s stats.Store, settlements ...stats.Settlement) {
	tb.Helper()
	if err := s.Settle(tb.Context(), settlements); err != nil {
		tb.Fatal(err)
	}
}

func fold(t *testing.T, s stats.Store, want stats.FoldResult, events ...job.Event) {
	t.Helper()
	got, err := s.Fold(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("fold = %+v, want %+v", got, want)
	}
}

func lookup(t *testing.T, s stats.Store, id job.ID) *stats.Record {
	t.Helper()
	records, err := s.Lookup(t.Context(), []job.ID{id, job.NewID()})
	if err != nil {
		t.Fatal(err)
	}
	return records[id]
}

// wantRecord checks all that is known of a mail.
func wantRecord(t *testing.T, s stats.Store, want stats.Record) {
	t.Helper()
	got := lookup(t, s, want.ID)
	if got == nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("record =\n%+v, want\n%+v", got, want)
	}
}

// wantOutcome checks where a mail stands.
func wantOutcome(t *testing.T, s stats.Store, id job.ID, want stats.State) {
	t.Helper()
	if got := lookup(t, s, id); got == nil || got.Outcome() != want {
		t.Errorf("outcome of %+v, want %s", got, want)
	}
}
