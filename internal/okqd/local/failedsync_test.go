package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/journal/journaltest"
)

// process is one life of an engine on a disk.
type process struct {
	t *testing.T
	*Engine
	cancel func()
	ended  chan error
}

func startProcess(t *testing.T, fs *journaltest.FS) (*process, error) {
	e, err := open(Config{Dir: "data"}, zerolog.Nop(), prometheus.NewRegistry(), platform{fs: fs, clock: time.Now, machine: time.Now})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{t: t, Engine: e, cancel: cancel, ended: make(chan error, 1)}
	go func() { p.ended <- e.Run(ctx) }()
	t.Cleanup(cancel)
	return p, nil
}

func (p *process) push(id string) error {
	ops := []engine.Op{pushOp(id)}
	p.Exec(context.Background(), ops, &engine.Room{})
	return ops[0].Err
}

func (p *process) all() (ids []string) {
	p.t.Helper()
	list, next, err := p.Scan(context.Background(), "q", "0", 1000)
	if err != nil || next != "0" {
		p.t.Fatalf("scan: %q, %v", next, err)
	}
	for _, id := range list {
		ids = append(ids, string(id))
	}
	return ids
}

// failNextSync has the next sync of anything fail, with what it wrote left to chance, and all others work.
func failNextSync(fs *journaltest.FS, err error) {
	failed := false
	fs.BeforeSync(func() error {
		if failed {
			return nil
		}
		failed = true
		return err
	})
}

// A sync fails once, the process ends and is started again, and it may fail at the start, too. From then on what is
// acknowledged is there after a power cut, also what was acknowledged as a duplicate of a push that had failed.
func TestFailedSyncTakesNothingThatIsAcknowledgedLater(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{syscall.EIO, syscall.ENOSPC} {
		for seed := range 60 {
			failSync(t, failure, uint64(seed))
		}
	}
}

func failSync(t *testing.T, failure error, seed uint64) {
	fs := journaltest.New()
	fs.Seed(seed)
	p, err := startProcess(t, fs)
	if err != nil {
		t.Fatal(err)
	}
	var acked []string
	push := func(id string) {
		t.Helper()
		if err := p.push(id); err != nil && err != engine.ErrDuplicate {
			t.Fatalf("push %s: %v", id, err)
		}
		acked = append(acked, id)
	}
	for i := range 5 {
		push(fmt.Sprint("before", i))
	}
	failNextSync(fs, failure)
	if err := p.push("failed"); err == nil {
		t.Fatal("acknowledged although the sync failed")
	}
	if err := <-p.ended; err == nil {
		t.Fatal("goes on after a failed sync")
	}
	for range seed % 3 {
		failNextSync(fs, failure)
		if _, err := startProcess(t, fs); err == nil {
			t.Fatal("starts although what was not synced could not be written")
		}
	}
	fs.BeforeSync(nil)
	if p, err = startProcess(t, fs); err != nil {
		t.Fatalf("start after the failed sync: %v", err)
	}
	push("failed")
	for i := range 5 {
		push(fmt.Sprint("after", i))
	}
	left := fs.Crash(rand.New(rand.NewPCG(seed, 0)))
	p.cancel()
	if p, err = startProcess(t, left); err != nil {
		t.Fatalf("start after the power cut: %v", err)
	}
	if got := p.all(); !slices.Equal(got, acked) {
		t.Fatalf("seed %d: left %v, want %v", seed, got, acked)
	}
	p.cancel()
	if err := <-p.ended; err != nil {
		t.Fatal(err)
	}
}
