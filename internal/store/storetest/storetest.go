// Package storetest opens stores for tests.
package storetest

import (
	_ "embed"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// Kinds are all kinds of databases.
var Kinds = []struct {
	Name   string
	Config func(testing.TB) store.Config // of a new database
}{{"sqlite", SQLite}, {"mongo", Mongo}}

// OnEach runs a test on a new database of each kind, in parallel with each other and with other tests.
func OnEach(t *testing.T, test func(t *testing.T, s *store.Stores)) {
	t.Parallel()
	for _, kind := range Kinds {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			test(t, Open(t, kind.Config(t)))
		})
	}
}

// SQLite is a file that does not exist yet.
func SQLite(tb testing.TB) store.Config {
	return store.Config{SQLite: filepath.Join(tb.TempDir(), "pm.db")}
}

//go:embed testdata/25f7307.db
var of25f7307 []byte

// SQLiteOf25f7307 is a file that the programs of commit 25f7307 wrote: they took the preferences and webhook events that
// pkg/prefs/testdata/emails-25f7307.json shows, and sent the emails of pkg/stats/testdata/records-25f7307.json.
func SQLiteOf25f7307(tb testing.TB) store.Config {
	tb.Helper()
	cfg := SQLite(tb)
	if err := os.WriteFile(cfg.SQLite, of25f7307, 0o600); err != nil {
		tb.Fatal(err)
	}
	return cfg
}

// Mongo is an empty database.
func Mongo(tb testing.TB) store.Config {
	tb.Helper()
	return store.Config{MongoAddr: testenv.Mongo(tb)}
}

// Open opens a database until the test ends.
func Open(tb testing.TB, cfg store.Config) *store.Stores {
	tb.Helper()
	if err := cfg.Validate(); err != nil {
		tb.Fatal(err)
	}
	s, err := store.Open(tb.Context(), cfg, zerolog.New(zerolog.NewTestWriter(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}
