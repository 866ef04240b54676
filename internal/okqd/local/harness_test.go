package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/journal/journaltest"
)

// box runs an engine on a file system in memory, with a clock of its own, and can let it crash.
type box struct {
	tb     failer
	fs     *journaltest.FS
	engine *Engine
	stop   func()

	mu  sync.Mutex // protects now
	now time.Time
}

// failer is what testing.T and rapid.T have in common.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func newBox(tb failer) *box {
	b := &box{tb: tb, fs: journaltest.New(), now: time.Unix(1_700_000_000, 0)}
	if err := b.start(); err != nil {
		tb.Fatalf("start: %v", err)
	}
	return b
}

func (b *box) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// pass lets time pass.
func (b *box) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *box) start() error {
	eng, err := open(Config{Dir: "data"}, zerolog.Nop(), prometheus.NewRegistry(), platform{fs: b.fs, clock: b.clock, machine: b.clock})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := eng.Run(ctx); err != nil {
			b.tb.Errorf("run: %v", err)
		}
	})
	b.engine, b.stop = eng, func() { cancel(); wg.Wait() }
	return nil
}

// crash goes on with what a power cut would have left on the disk; without rng, a kill.
func (b *box) crash(rng *rand.Rand) error {
	left := b.fs.Crash(rng)
	b.stop()
	b.fs = left
	return b.start()
}

// exec carries out one op.
func (b *box) exec(op engine.Op) engine.Op {
	ops := []engine.Op{op}
	if n := b.engine.Exec(context.Background(), ops, &engine.Room{Budget: 1 << 20}); n != 1 {
		b.tb.Fatalf("Exec did %d ops", n)
	}
	return ops[0]
}

func (b *box) push(queue, id, contents string) {
	b.tb.Helper()
	op := engine.Op{Kind: engine.Push, Queue: []byte(queue), ID: []byte(id), Contents: []byte(contents)}
	if op := b.exec(op); op.Err != nil {
		b.tb.Fatalf("push %s: %v", id, op.Err)
	}
}

// pop returns what is popped, as "id=contents#deliveries".
func (b *box) pop(queue string, n int, lease time.Duration) []string {
	b.tb.Helper()
	op := b.exec(engine.Op{Kind: engine.Pop, Queue: []byte(queue), Count: n, Lease: lease})
	if op.Err != nil {
		b.tb.Fatalf("pop %s: %v", queue, op.Err)
	}
	var events []string
	for _, ev := range op.Events {
		events = append(events, fmt.Sprintf("%s=%s#%d", ev.ID, ev.Contents, ev.Deliveries))
	}
	return events
}

func (b *box) ack(queue, id string) bool {
	b.tb.Helper()
	op := b.exec(engine.Op{Kind: engine.Ack, Queue: []byte(queue), ID: []byte(id)})
	if op.Err != nil {
		b.tb.Fatalf("ack %s: %v", id, op.Err)
	}
	return op.OK
}
