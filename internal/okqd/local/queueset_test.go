package local

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
	"github.com/levenlabs/postmaster/internal/okqd/journal/journaltest"
)

// What a client was told once a directory has for good, whenever the power is cut.
func TestQueueSetIsDurableBeforeItIsTold(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fs := journaltest.New()
		first := queueSetIn(t, fs)
		if again := queueSetIn(t, fs.Crash(rng)); again != first || again == "" {
			t.Fatalf("queue set %q, then %q", first, again)
		}
	}
}

// The power may have been cut while the file was written: nobody was told that identity.
func TestQueueSetThatWasCutShortIsMadeAgain(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{0, 7} {
		fs := journaltest.New()
		if _, err := fs.Create(filepath.Join("dir", queueSetName), size); err != nil {
			t.Fatal(err)
		}
		if id := queueSetIn(t, fs); id == "" {
			t.Errorf("%d bytes: no identity", size)
		}
	}
}

func TestQueueSetIsForTheOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := &Engine{log: zerolog.Nop()}
	e.openQueueSet(dir, journal.OS{})
	info, err := os.Stat(filepath.Join(dir, queueSetName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A full disk stops pushes, and no more.
func TestDirectoryWithoutRoomForAQueueSetIsServed(t *testing.T) {
	t.Parallel()
	fs := journaltest.New()
	queueSetIn(t, fs)
	if err := fs.Remove(filepath.Join("dir", queueSetName)); err != nil {
		t.Fatal(err)
	}
	fs.FailWrites(func(path string) error {
		if filepath.Base(path) == queueSetName {
			return os.ErrPermission
		}
		return nil
	})
	if id := queueSetIn(t, fs); id != "" {
		t.Errorf("told %q, which is not on the disk", id)
	}
}

// queueSetIn opens the directory, as a start does.
func queueSetIn(t *testing.T, fs *journaltest.FS) string {
	t.Helper()
	e, err := open(Config{Dir: "dir"}, zerolog.Nop(), prometheus.NewRegistry(), platform{fs: fs, clock: time.Now, machine: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.journal.Close(); err != nil {
		t.Fatal(err)
	}
	return e.QueueSet()
}
