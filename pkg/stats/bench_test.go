package stats_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

const batch = 256

func benchOnEachStore(b *testing.B, bench func(b *testing.B, s stats.Store)) {
	for _, kind := range storetest.Kinds {
		b.Run(kind.Name, func(b *testing.B) { bench(b, open(b, kind.Config(b))) })
	}
}

func firstAttempts() []stats.Attempt {
	attempts := make([]stats.Attempt, batch)
	for i := range attempts {
		attempts[i] = attempt(job.NewID(), 1, "token")
	}
	return attempts
}

func accepts(attempts []stats.Attempt) []stats.Settlement {
	settlements := make([]stats.Settlement, len(attempts))
	for i, a := range attempts {
		settlements[i] = settlement(a.ID, a.Number, stats.Accepted)
		settlements[i].MessageID = "aBcDeFgHiJkLmNoPqRsTuV"
	}
	return settlements
}

func perSecond(b *testing.B, n int, unit string) {
	b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), unit)
}

func BenchmarkLookupOfNewMails(b *testing.B) {
	benchOnEachStore(b, func(b *testing.B, s stats.Store) {
		begin(b, s, firstAttempts()...)
		for b.Loop() {
			ids := make([]job.ID, batch)
			for i := range ids {
				ids[i] = job.NewID()
			}
			if _, err := s.Lookup(b.Context(), ids); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b, batch, "mails/s")
	})
}

func BenchmarkBegin(b *testing.B) {
	benchOnEachStore(b, func(b *testing.B, s stats.Store) {
		for b.Loop() {
			begin(b, s, firstAttempts()...)
		}
		perSecond(b, batch, "mails/s")
	})
}

func BenchmarkSettle(b *testing.B) {
	benchOnEachStore(b, func(b *testing.B, s stats.Store) {
		for b.Loop() {
			b.StopTimer()
			attempts := firstAttempts()
			begin(b, s, attempts...)
			b.StartTimer()
			settle(b, s, accepts(attempts)...)
		}
		perSecond(b, batch, "mails/s")
	})
}

// BenchmarkFold folds what SendGrid says of mails that all go well, some opened. together is after a burst: many mails
// went the same way in the same seconds. scattered is a trickle, each mail with times of its own.
func BenchmarkFold(b *testing.B) {
	for name, spread := range map[string]int{"together": 5, "scattered": 10_000} {
		b.Run(name, func(b *testing.B) {
			benchOnEachStore(b, func(b *testing.B, s stats.Store) { benchFold(b, s, spread) })
		})
	}
}

func benchFold(b *testing.B, s stats.Store, spread int) {
	r := rand.New(rand.NewPCG(1, 2))
	seconds := func(n int) time.Duration { return time.Duration(r.IntN(n)) * time.Second }
	events := 0
	for b.Loop() {
		b.StopTimer()
		var happened []job.Event
		for range 8 {
			attempts := firstAttempts()
			begin(b, s, attempts...)
			for i, a := range attempts {
				at := noon.Add(seconds(spread))
				happened = append(happened, event(a.ID, job.EventProcessed, at), event(a.ID, job.EventDelivered, at.Add(seconds(10))))
				if i%4 == 0 {
					happened = append(happened, event(a.ID, job.EventOpen, at.Add(seconds(600))))
				}
			}
		}
		events += len(happened)
		b.StartTimer()
		if _, err := s.Fold(b.Context(), happened); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
