package prefs_test

import (
	"slices"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/prefs"
)

func TestAboutTellsFlagsAndIncidents(t *testing.T) {
	onEachStore(t, func(t *testing.T, s prefs.Store) {
		about := func(address string) prefs.About {
			t.Helper()
			known, err := s.About(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			return known
		}
		if got := about("ann@example.com"); got.Flags != 1 || len(got.Bounces)+len(got.SpamReports) != 0 || !got.Updated.IsZero() {
			t.Errorf("of nobody: %+v, want all allowed", got)
		}
		setFlags(t, s, "Ann@example.com", 6, noon)
		record(t, s,
			prefs.Incident{Address: "ann@example.com", Kind: prefs.Bounce, At: noon.Add(time.Hour)},
			prefs.Incident{Address: "ann@example.com", Kind: prefs.Bounce, At: noon},
			prefs.Incident{Address: "ann@example.com", Kind: prefs.SpamReport, At: noon},
		)
		got := about("ANN@example.com")
		if got.Flags != 6 || !slices.EqualFunc(got.Bounces, []time.Time{noon, noon.Add(time.Hour)}, time.Time.Equal) ||
			!slices.EqualFunc(got.SpamReports, []time.Time{noon}, time.Time.Equal) || !got.Updated.Equal(noon.Add(time.Hour)) {
			t.Errorf("of ann: %+v", got)
		}
	})
}
