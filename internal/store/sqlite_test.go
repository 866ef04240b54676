package store_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/store/storetest"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func TestWhatOneProcessWritesAnotherReads(t *testing.T) {
	t.Parallel()
	cfg := store.Config{SQLite: filepath.Join(t.TempDir(), "odd name?#%41.db")}
	one, two := storetest.Open(t, cfg), storetest.Open(t, cfg)

	if err := one.Prefs.SetFlags(t.Context(), "A@example.com", 4, time.Now()); err != nil {
		t.Fatal(err)
	}
	got, err := two.Prefs.Flags(t.Context(), []string{"a@Example.com"})
	if err != nil || got["a@Example.com"] != 4 {
		t.Errorf("Flags in the other process = %v, %v; want 4", got, err)
	}
}

func TestProcessesThatShareAFileBothGetToWrite(t *testing.T) {
	t.Parallel()
	cfg := storetest.SQLite(t)
	errs := make(chan error)
	const processes, rounds = 3, 30
	for range processes {
		s := storetest.Open(t, cfg)
		go func() {
			for range rounds {
				_, err := s.Stats.Begin(context.WithoutCancel(t.Context()), []stats.Attempt{{
					Subject: stats.Subject{ID: job.NewID(), Recipient: "a@example.com", Created: time.Now()},
					Number:  1, Token: "t", At: time.Now(),
				}})
				errs <- err
			}
		}()
	}
	for range processes * rounds {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestFileOfANewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pm.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`PRAGMA user_version = 1000`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(t.Context(), store.Config{SQLite: path}, zerolog.Nop())
	if err == nil || !strings.HasPrefix(err.Error(), "--sqlite: ") || !strings.Contains(err.Error(), "newer") {
		t.Errorf("Open = %v; want it to name --sqlite and the newer version", err)
	}
}

func TestFileThatCannotBeMadeNamesTheFlag(t *testing.T) {
	t.Parallel()
	_, err := store.Open(t.Context(), store.Config{SQLite: filepath.Join(t.TempDir(), "no", "folder", "pm.db")}, zerolog.Nop())
	if err == nil || !strings.HasPrefix(err.Error(), "--sqlite: ") {
		t.Errorf("Open = %v; want it to name --sqlite", err)
	}
}

func TestNoDatabaseIsNone(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, store.Config{})
	if !s.None() || s.Prefs != nil || s.Stats != nil || s.Ping(t.Context()) != nil {
		t.Errorf("no database = %+v; want None", s)
	}
}

func TestBothDatabasesAreRefused(t *testing.T) {
	t.Parallel()
	cfg := store.Config{MongoAddr: "127.0.0.1:1", SQLite: "x"}
	err := cfg.Validate()
	if err == nil || !strings.Contains(err.Error(), "--mongo-addr") || !strings.Contains(err.Error(), "--sqlite") {
		t.Errorf("Validate = %v; want it to name both flags", err)
	}
}

func TestTheSQLiteFilesAreTheirOwnersAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pm.db")
	for _, existing := range []bool{false, true} {
		if existing {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				if err := os.Chmod(path+suffix, 0o644); err != nil && suffix == "" {
					t.Fatal(err)
				}
			}
		}
		s, err := store.Open(t.Context(), store.Config{SQLite: path}, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Prefs.SetFlags(t.Context(), "a@example.com", 4, time.Now()); err != nil {
			t.Fatal(err)
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			info, err := os.Stat(path + suffix)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("existing %v: %s has %v (%v), want 0600", existing, suffix, info.Mode().Perm(), err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
