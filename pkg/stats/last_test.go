package stats_test

import (
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func TestLastIsTheLatestThatSendGridAccepted(t *testing.T) {
	onEachStore(t, func(t *testing.T, s stats.Store) {
		last := func(recipient, uniqueID string) job.ID {
			t.Helper()
			r, err := s.Last(t.Context(), recipient, uniqueID)
			if err != nil {
				t.Fatal(err)
			}
			if r == nil {
				return ""
			}
			return r.ID
		}
		made := func(minute int, recipient, uniqueID string) stats.Subject {
			return stats.Subject{ID: job.NewID(), Recipient: recipient, UniqueID: uniqueID, Created: noon.Add(time.Duration(minute) * time.Minute)}
		}
		accepted, older := made(5, "ann@example.com", "u"), made(3, "ann@example.com", "u")
		unknown, other := made(6, "ann@example.com", "u"), made(9, "ann@example.com", "v")
		for _, subject := range []stats.Subject{accepted, older, other} {
			settle(t, s, stats.Settlement{Subject: subject, Number: 1, State: stats.Accepted, At: noon})
		}
		settle(t, s, stats.Settlement{Subject: unknown, Number: 1, State: stats.Unknown, At: noon},
			stats.Settlement{Subject: made(8, "ann@example.com", "u"), State: stats.OptedOut, At: noon})

		for recipient, want := range map[string]job.ID{
			"ann@example.com": accepted.ID, "ANN@example.com": accepted.ID, "bob@example.com": "",
		} {
			if got := last(recipient, "u"); got != want {
				t.Errorf("last mail to %s = %s, want %s", recipient, got, want)
			}
		}
		fold(t, s, stats.FoldResult{Folded: 1}, event(unknown.ID, job.EventProcessed, noon))
		if got := last("ann@example.com", "u"); got != unknown.ID {
			t.Errorf("last mail = %s, want the one that an event proved, %s", got, unknown.ID)
		}
		spelled := made(7, "Ann@example.com", "u")
		settle(t, s, stats.Settlement{Subject: spelled, Number: 1, State: stats.Accepted, At: noon})
		if got := last("Ann@example.com", "u"); got != spelled.ID {
			t.Errorf("last mail = %s, want %s, which has this very spelling", got, spelled.ID)
		}
	})
}
