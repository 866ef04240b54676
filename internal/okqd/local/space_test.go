package local

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/journal/journaltest"
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
	free := func(avail int64) {
		b.fs.SetUsage(avail, 1<<40)
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

// Something else takes the very last of the disk, reserve included: pops, acks and cleaning live on what lies ready.
func TestPopsAndAcksGoOnWhenNothingIsFree(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	defer func() { b.stop() }()
	const events = 12
	for i := range events {
		b.push("q", string(rune('a'+i)), string(traffic)) // about three segments
	}
	b.eventually("segments lie ready", func() bool {
		used, _ := b.logLength()
		return b.fs.Size() >= used+4*b.engine.journal.SegmentSize()
	})
	b.fs.SetUsage(0, 1<<40)
	b.pass(2 * lookEvery)
	if op := b.exec(pushOp("more")); !errors.Is(op.Err, engine.ErrDiskFull) {
		t.Fatalf("push on a full disk: %v", op.Err)
	}
	for round := range 2000 { // about a segment's worth of leases and redos
		op := b.exec(engine.Op{Kind: engine.Pop, Queue: []byte("q"), Lease: time.Minute})
		if op.Err != nil || len(op.Events) != 1 {
			t.Fatalf("pop %d: %v", round, op.Err)
		}
		if op := b.exec(engine.Op{Kind: engine.Ack, Queue: []byte("q"), ID: op.Events[0].ID, Redo: true}); op.Err != nil || !op.OK {
			t.Fatalf("redo %d: %v", round, op.Err)
		}
	}
	for i := range events {
		if !b.ack("q", string(rune('a'+i))) {
			t.Errorf("ack %d", i)
		}
	}
}

// A disk that cannot write ends the engine: nobody is told that something is done, and the process can end.
func TestFailedWriteEndsTheEngine(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	fs := journaltest.New()
	fs.FailWrites(func(string) error {
		if broken.Load() {
			return syscall.EIO
		}
		return nil
	})
	e, err := open(Config{Dir: "data"}, zerolog.Nop(), prometheus.NewRegistry(), platform{fs: fs, clock: time.Now, machine: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- e.Run(t.Context()) }()
	ops := []engine.Op{pushOp("a")}
	if e.Exec(context.Background(), ops, &engine.Room{}); ops[0].Err != nil {
		t.Fatal(ops[0].Err)
	}
	broken.Store(true)
	ops = []engine.Op{pushOp("b"), {Kind: engine.Pop, Queue: []byte("q"), Lease: time.Minute}}
	if n := e.Exec(context.Background(), ops, &engine.Room{}); n != 2 || ops[0].Err == nil || ops[1].Err == nil || ops[1].Events != nil {
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
