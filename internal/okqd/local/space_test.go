package local

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// pushOp is a push of a new event.
func pushOp(id string) engine.Op {
	return engine.Op{Kind: engine.Push, Queue: []byte("q"), ID: []byte(id), Contents: []byte(strings.Repeat("x", 1000))}
}

func TestPushesAreRefusedWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	defer func() { b.stop() }()
	b.engine.space.minFree = 100 << 20
	for _, id := range []string{"a", "b"} {
		b.push("q", id, "x")
	}
	free := func(avail uint64) {
		b.fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: avail, TotalBytes: 1 << 40})
		b.pass(2 * lookEvery)
	}
	free(50 << 20)
	for range 3 {
		if op := b.exec(pushOp("c")); !errors.Is(op.Err, engine.ErrDiskFull) {
			t.Fatalf("push on a full disk: %v", op.Err)
		}
	}
	if got := b.pop("q", 1, time.Minute); len(got) != 1 || got[0] != "a=x#1" {
		t.Errorf("pop on a full disk: %v", got)
	}
	if !b.ack("q", "a") || !b.ack("q", "b") {
		t.Error("ack on a full disk")
	}
	free(1 << 30)
	if op := b.exec(pushOp("c")); op.Err != nil { // the same id: nothing of the refused push is left
		t.Errorf("push when there is room again: %v", op.Err)
	}
	free(100<<20 + 2000)
	if op := b.exec(pushOp("d")); !errors.Is(op.Err, engine.ErrDiskFull) {
		t.Errorf("push that would use up the reserve: %v", op.Err)
	}
}

func TestBallastIsThrownOffWhenNothingIsFree(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	set := func(avail uint64) int64 {
		fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: avail, TotalBytes: 1 << 40})
		return int64(avail)
	}
	set(1 << 30)
	held := func() bool {
		_, err := fs.Stat("/" + ballastName)
		return err == nil
	}
	const reserve = 100 << 20
	b := newBallast("/", fs)
	for _, step := range []struct {
		avail uint64
		want  bool
	}{{1 << 30, true}, {reserve, true}, {ballastSize/2 - 1, false}, {reserve, false}, {1 << 30, true}} {
		if err := b.trim(set(step.avail), reserve); err != nil {
			t.Fatal(err)
		}
		if held() != step.want {
			t.Errorf("with %d bytes free: ballast held %v", step.avail, !step.want)
		}
	}
	if newBallast("/", fs); held() {
		t.Error("what an earlier run left keeps the store from opening on a full disk")
	}
}

// A store that cannot write ends the engine: nobody is told that something is done, and the process can end.
func TestFailedWriteEndsTheEngine(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && strings.HasSuffix(op.Path, ".log") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.EIO
		}
		return nil
	}))
	e, err := open(Config{Dir: "data"}, zerolog.Nop(), prometheus.NewRegistry(), platform{fs: fs, clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- e.Run(t.Context()) }()
	ops := []engine.Op{pushOp("a")}
	if e.Exec(context.Background(), ops, 1); ops[0].Err != nil {
		t.Fatal(ops[0].Err)
	}
	broken.Store(true)
	ops = []engine.Op{pushOp("b"), {Kind: engine.Pop, Queue: []byte("q"), Lease: time.Minute}}
	if n := e.Exec(context.Background(), ops, 1); n != 2 || ops[0].Err == nil || ops[1].Err == nil || ops[1].Events != nil {
		t.Errorf("after a failed write: %v, %v", ops[0].Result, ops[1].Result)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), syscall.EIO.Error()) {
		t.Errorf("Run returned %v", err)
	}
	if e.Ready(context.Background()) == nil {
		t.Error("still ready")
	}
	c := e.NewConsumer()
	if _, err := c.Notify(t.Context()); err == nil {
		t.Error("Notify waits for a dead engine")
	}
}
