package heartbeat

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	_ "modernc.org/sqlite"

	"github.com/levenlabs/postmaster/internal/testenv"
)

func withStores(t *testing.T, test func(t *testing.T, s Store)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "pm.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if _, err := db.Exec(SQLiteSchema); err != nil {
			t.Fatal(err)
		}
		test(t, NewSQLite(db, db))
	})
	t.Run("mongo", func(t *testing.T) {
		t.Parallel()
		uri := testenv.Mongo(t)
		client, err := mongo.Connect(options.Client().ApplyURI(uri))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Disconnect(t.Context()) })
		name, _, _ := strings.Cut(uri[strings.LastIndex(uri, "/")+1:], "?")
		s, err := NewMongo(t.Context(), client.Database(name))
		if err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
}

func TestTheLatestBeatOfEachWorkerThatLivesIsRead(t *testing.T) {
	t.Parallel()
	withStores(t, func(t *testing.T, s Store) {
		now := time.Now().Truncate(time.Millisecond)
		beat := func(b Beat) {
			t.Helper()
			if err := s.Beat(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		beat(Beat{Worker: "b", At: now.Add(-Every), State: Refused, Until: now.Add(time.Minute), Queues: []string{"email-high", "email-normal"}})
		beat(Beat{Worker: "b", At: now, State: Sending, InHand: 7, Queues: []string{"email-high"}, Started: now.Add(-time.Hour)})
		beat(Beat{Worker: "a", At: now, State: RateLimited, Until: now.Add(time.Minute)})
		beat(Beat{Worker: "long gone", At: now.Add(-time.Hour), State: Sending})
		beat(Beat{Worker: "stopped", At: now, State: Sending, Ended: true})
		beats, err := s.Since(t.Context(), now.Add(-Fresh))
		if err != nil {
			t.Fatal(err)
		}
		if len(beats) != 2 || beats[0].Worker != "a" || beats[1].Worker != "b" {
			t.Fatalf("beats %+v, want those of a and b", beats)
		}
		if a := beats[0]; a.State != RateLimited || !a.Until.Equal(now.Add(time.Minute)) {
			t.Errorf("a says %+v", a)
		}
		if b := beats[1]; b.State != Sending || b.InHand != 7 || !b.Until.IsZero() || !b.Started.Equal(now.Add(-time.Hour)) || len(b.Queues) != 1 {
			t.Errorf("b says %+v", b)
		}
	})
}
