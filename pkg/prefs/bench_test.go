package prefs_test

import (
	"fmt"
	"testing"

	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/prefs"
)

// BenchmarkFlags asks for 256 recipients among 20,000 that have opted out of something: an answer must not cost more
// for those who are not asked about.
func BenchmarkFlags(b *testing.B) {
	for _, kind := range storetest.Kinds {
		b.Run(kind.Name, func(b *testing.B) { benchFlags(b, open(b, kind.Config(b))) })
	}
}

func benchFlags(b *testing.B, s prefs.Store) {
	const batch, known = 256, 20_000
	var incidents []prefs.Incident
	for i := range known {
		incidents = append(incidents, out(fmt.Sprintf("user%d@example.com", i), 4, noon))
	}
	if _, err := s.Record(b.Context(), incidents); err != nil {
		b.Fatal(err)
	}
	addresses := make([]string, batch)
	n := 0
	for b.Loop() {
		for i := range addresses {
			n++
			addresses[i] = fmt.Sprintf("User%d@example.com", n*7919%(2*known)) // half of them are not known
		}
		if _, err := s.Flags(b.Context(), addresses); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "mails/s")
}
