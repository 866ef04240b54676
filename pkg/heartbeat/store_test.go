package heartbeat_test

import (
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/heartbeat"
)

func TestTheLatestBeatOfEachWorkerThatLivesIsRead(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, stores *store.Stores) {
		s := stores.Beats
		now := time.Now().Truncate(time.Millisecond)
		beat := func(b heartbeat.Beat) {
			t.Helper()
			if err := s.Beat(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		beat(heartbeat.Beat{Worker: "b", At: now.Add(-heartbeat.Every), State: heartbeat.Refused, Until: now.Add(time.Minute), Queues: []string{"email-high", "email-normal"}})
		beat(heartbeat.Beat{Worker: "b", At: now, State: heartbeat.Sending, InHand: 7, Queues: []string{"email-high"}, Started: now.Add(-time.Hour)})
		beat(heartbeat.Beat{Worker: "a", At: now, State: heartbeat.RateLimited, Until: now.Add(time.Minute)})
		beat(heartbeat.Beat{Worker: "long gone", At: now.Add(-time.Hour), State: heartbeat.Sending})
		beat(heartbeat.Beat{Worker: "stopped", At: now, State: heartbeat.Sending, Ended: true})
		beats, err := s.Since(t.Context(), now.Add(-heartbeat.Fresh))
		if err != nil {
			t.Fatal(err)
		}
		if len(beats) != 2 || beats[0].Worker != "a" || beats[1].Worker != "b" {
			t.Fatalf("beats %+v, want those of a and b", beats)
		}
		if a := beats[0]; a.State != heartbeat.RateLimited || !a.Until.Equal(now.Add(time.Minute)) {
			t.Errorf("a says %+v", a)
		}
		if b := beats[1]; b.State != heartbeat.Sending || b.InHand != 7 || !b.Until.IsZero() || !b.Started.Equal(now.Add(-time.Hour)) || len(b.Queues) != 1 {
			t.Errorf("b says %+v", b)
		}
	})
}

func TestSQLiteForgetsKilledWorkers(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t)).Beats
	now := time.Now()
	for _, b := range []heartbeat.Beat{{Worker: "killed", At: now.Add(-25 * time.Hour)}, {Worker: "alive", At: now}} {
		if err := s.Beat(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	beats, err := s.Since(t.Context(), now.Add(-48*time.Hour))
	if err != nil || len(beats) != 1 || beats[0].Worker != "alive" {
		t.Errorf("beats %+v, %v; want that of the worker that lives", beats, err)
	}
}
