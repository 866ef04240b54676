package local

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/journal/journaltest"
)

// slowBox runs an engine, as it is, on a disk whose syncs take their time. It belongs into a synctest bubble.
type slowBox struct {
	t  *testing.T
	fs *journaltest.FS
	*Engine
	ended chan error
	stop  func()
}

func newSlowBox(t *testing.T, fs *journaltest.FS) *slowBox {
	t.Helper()
	e, err := open(Config{Dir: "data"}, zerolog.Nop(), prometheus.NewRegistry(),
		platform{fs: fs, clock: time.Now, machine: time.Now, marginFloor: marginFloor})
	if err != nil {
		t.Fatal(err)
	}
	b := &slowBox{t: t, fs: fs, Engine: e, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { b.ended <- e.Run(ctx) }()
	b.stop = cancel
	return b
}

// end stops the engine and returns Run's error.
func (b *slowBox) end() error {
	b.stop()
	return <-b.ended
}

func (b *slowBox) exec(ctx context.Context, room engine.Room, op engine.Op) (engine.Op, time.Duration) {
	room.Budget = 1 << 20
	ops := []engine.Op{op}
	begin := time.Now()
	b.Exec(ctx, ops, &room)
	return ops[0], time.Since(begin)
}

func (b *slowBox) must(op engine.Op) (engine.Op, time.Duration) {
	b.t.Helper()
	op, took := b.exec(context.Background(), engine.Room{}, op)
	if op.Err != nil {
		b.t.Fatalf("%s: %v", opText(op), op.Err)
	}
	return op, took
}

func popOp(lease time.Duration) engine.Op {
	return engine.Op{Kind: engine.Pop, Queue: []byte("q"), Lease: lease}
}

func ackOp(id []byte) engine.Op {
	return engine.Op{Kind: engine.Ack, Queue: []byte("q"), ID: id}
}

// ids are those that a pop gave, with the delivery that it was.
func ids(op engine.Op) string {
	var list []string
	for _, ev := range op.Events {
		list = append(list, fmt.Sprintf("%s#%d", ev.ID, ev.Deliveries))
	}
	return strings.Join(list, " ")
}

var syncTimes = []time.Duration{105 * time.Millisecond, 200 * time.Millisecond, 5 * time.Second}

// A reply needs the commit that makes it true, and perhaps the one before it.
func TestSlowDiskAnswersAfterACommitOrTwo(t *testing.T) {
	t.Parallel()
	for _, syncTime := range syncTimes {
		t.Run(syncTime.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newSlowBox(t, journaltest.New())
				for _, id := range []string{"a", "b", "c"} {
					b.must(pushOp(id))
				}
				time.Sleep(time.Minute) // idle, but for a seal
				b.fs.SlowSyncs(syncTime)
				for i := range 3 {
					op, took := b.must(popOp(time.Minute))
					if most := 2 * syncTime; len(op.Events) != 1 || took > most { // its own, after a seal perhaps
						t.Errorf("pop %d: %q after %v, want one event after %v at most", i, ids(op), took, most)
					}
				}
				if err := b.end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// load has many connections push, pop, touch and ack until ctx ends. Each lease is held against what it must be: from
// the reply on nobody else gets the event before it is over. It returns the slowest answer.
func (b *slowBox) load(ctx context.Context, connections int, lease time.Duration) (slowest time.Duration) {
	var mu sync.Mutex // protects the variables below
	until := make(map[string]time.Time)
	note := func(took time.Duration, change func(now time.Time)) {
		mu.Lock()
		defer mu.Unlock()
		slowest = max(slowest, took)
		change(time.Now())
	}
	nothing := func(time.Time) {}
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, took := b.must(pushOp(fmt.Sprintf("%d-%d", i, n)))
				note(took, nothing)
			}
		})
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				op, took := b.must(popOp(lease))
				note(took, func(now time.Time) {
					for _, ev := range op.Events {
						if id := string(ev.ID); now.Before(until[id]) {
							b.t.Errorf("%s was given away %v before its lease ended", id, until[id].Sub(now))
						}
						until[string(ev.ID)] = now.Add(lease)
					}
				})
				for _, ev := range op.Events {
					if n%3 == 0 {
						continue // the lease ends, and another gets it
					}
					_, took := b.must(ackOp(ev.ID))
					note(took, nothing)
				}
			}
		})
	}
	wg.Wait()
	return slowest
}

func TestSlowDiskUnderLoadAnswersAndKeepsLeases(t *testing.T) {
	t.Parallel()
	for _, syncTime := range syncTimes {
		t.Run(syncTime.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newSlowBox(t, journaltest.New())
				b.fs.SlowSyncs(syncTime)
				ctx, cancel := context.WithTimeout(t.Context(), 100*syncTime)
				defer cancel()
				slowest := b.load(ctx, 50, 2*time.Second)
				t.Logf("slowest answer %v", slowest)
				if most := 4 * syncTime; slowest > most { // the commit before, its own, and both once more at first
					t.Errorf("slowest answer after %v, want %v at most", slowest, most)
				}
				if err := b.end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A lease is as long as asked from the reply on, although the disk was slow, and a power cut right after the reply takes
// nothing of it. It is hardly longer either.
func TestLeaseOfASlowDiskIsAsLongAsAsked(t *testing.T) {
	t.Parallel()
	const lease = 3 * time.Second
	for _, syncTime := range syncTimes {
		for _, how := range []string{"running", "power cut", "killed"} {
			t.Run(fmt.Sprint(syncTime, " ", how), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newSlowBox(t, journaltest.New())
					defer func() { b.end() }()
					b.must(pushOp("a"))
					b.fs.SlowSyncs(syncTime)
					for range 2 { // the second on a disk that is known to be slow
						op, _ := b.must(popOp(lease))
						told := time.Now()
						if len(op.Events) != 1 {
							t.Fatal("no event")
						}
						switch how {
						case "power cut":
							left := b.fs.Crash(rand.New(rand.NewPCG(1, 2)))
							b.end()
							b = newSlowBox(t, left)
						case "killed":
							left := b.fs.Crash(nil)
							b.end()
							b = newSlowBox(t, left)
						}
						b.fs.SlowSyncs(0)
						time.Sleep(time.Until(told.Add(lease - time.Millisecond)))
						if op, _ := b.must(popOp(lease)); len(op.Events) > 0 {
							t.Fatal("the event was given away before its lease ended")
						}
						late := leaseSlack + time.Millisecond
						if how != "running" {
							late += max(marginFloor, 2*marginFactor*syncTime)
						}
						time.Sleep(late)
						if rows, _ := b.must(engine.Op{Kind: engine.Status}); rows.Rows[0].Leased != 0 {
							t.Fatalf("still leased %v after the lease's end", late)
						}
						b.fs.SlowSyncs(syncTime)
					}
				})
			})
		}
	}
}

// Leases shorter than a commit: none ends before it is told, so deliveries count what consumers saw.
func TestLeasesShorterThanACommitAreGivenOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newSlowBox(t, journaltest.New())
		b.must(pushOp("a"))
		b.fs.SlowSyncs(5 * time.Second)
		for i := range 3 {
			first, _ := b.must(popOp(time.Second))
			if want := fmt.Sprintf("a#%d", i+1); ids(first) != want {
				t.Errorf("pop %d: %q, want %s", i, ids(first), want)
			}
			time.Sleep(time.Second + leaseSlack)
		}
		b.end()
	})
}

// A client that leaves while the disk is slow, or that gives up waiting, has not got the event: it is ready again, as if
// it had not been popped.
func TestEventOfAClientThatLeftIsReadyAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newSlowBox(t, journaltest.New())
		b.must(pushOp("a"))
		b.must(pushOp("b"))
		b.fs.SlowSyncs(5 * time.Second)
		pop := popOp(time.Hour)
		pop.Count = 2
		op, _ := b.exec(t.Context(), engine.Room{Left: func() bool { return true }}, pop)
		if !errors.Is(op.Err, engine.ErrUnconfirmed) || op.Events != nil {
			t.Errorf("told to one who left: %q, %v", ids(op), op.Err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		op, took := b.exec(ctx, engine.Room{}, pop)
		if !errors.Is(op.Err, engine.ErrUnconfirmed) || took > time.Second {
			t.Errorf("told to one who waits a second: %q, %v after %v", ids(op), op.Err, took)
		}
		if op, _ := b.must(pop); ids(op) != "a#1 b#1" {
			t.Errorf("then popped: %q, want both, in order, as for the first time", ids(op))
		}
		b.end()
	})
}

// hang makes the disk stop at the next sync until the function that it returns is called.
func hang(fs *journaltest.FS) (resume func()) {
	resumed := make(chan struct{})
	fs.BeforeSync(func() error { <-resumed; return nil })
	return func() { fs.BeforeSync(nil); close(resumed) }
}

// A disk that does not answer: every wait ends, the engine is not ready, and when the disk answers again all is as if
// nothing had been.
func TestHungDiskEndsEveryWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newSlowBox(t, journaltest.New())
		b.must(pushOp("a"))
		resume := hang(b.fs)
		var wg sync.WaitGroup
		wg.Go(func() { b.exec(t.Context(), engine.Room{}, pushOp("0")) }) // what comes after it waits for it, too
		for i := range 100 {
			i++
			for _, op := range []engine.Op{pushOp(fmt.Sprint(i)), popOp(time.Second), popOp(0), ackOp([]byte("none"))} {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * time.Second)
					op, took := b.exec(t.Context(), engine.Room{}, op)
					empty := op.Kind == engine.Pop && op.Err == nil // needs no disk
					if !empty && !errors.Is(op.Err, engine.ErrUnconfirmed) || op.Events != nil || took > commitTimeout {
						t.Errorf("after %v: %v", took, op.Result)
					}
				})
			}
		}
		time.Sleep(unreadyAfter + time.Second)
		if err := b.Ready(t.Context()); err == nil {
			t.Error("ready although the disk does not answer")
		}
		if at := b.commitRunning(); at < unreadyAfter {
			t.Errorf("the commit that hangs takes %v", at)
		}
		wg.Wait()
		resume()
		synctest.Wait()
		if err := b.Ready(t.Context()); err != nil {
			t.Errorf("not ready although the disk answers again: %v", err)
		}
		all := popOp(time.Hour)
		all.Count = 1000
		want := map[string]bool{"a#1": true, "0#1": true}
		for i := 1; i < int(commitTimeout/time.Second); i++ {
			want[fmt.Sprintf("%d#1", i)] = true
		}
		op, _ := b.must(all)
		for _, id := range strings.Fields(ids(op)) {
			if !want[id] && id != fmt.Sprintf("%d#1", commitTimeout/time.Second) { // pushed at the very end of the wait
				t.Errorf("left: %s, twice or not as new", id)
			}
			delete(want, id)
		}
		if len(want) > 0 {
			t.Errorf("lost: %v", want)
		}
		if err := b.end(); err != nil {
			t.Error(err)
		}
	})
}

// Stopping does not wait for a disk that does not answer, nor long for one that is slow.
func TestStopIsBoundedOnABadDisk(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"slow", "hung"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newSlowBox(t, journaltest.New())
				b.must(pushOp("a"))
				resume := func() {}
				if how == "hung" {
					resume = hang(b.fs)
				}
				b.fs.SlowSyncs(4 * time.Second)
				go b.exec(context.Background(), engine.Room{}, pushOp("b"))
				time.Sleep(time.Second)
				begin := time.Now()
				err := b.end()
				if took := time.Since(begin); took > stopTimeout || (err != nil) != (how == "hung") {
					t.Errorf("stopped after %v: %v", took, err)
				}
				resume()
				time.Sleep(time.Minute) // what it left behind ends
			})
		})
	}
}

// The log goes on in files that are yet to be made, each with some slow syncs: those who need no disk do not wait for that.
func TestNewFilesOnASlowDiskHoldUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := journaltest.New()
		b := newSlowBox(t, fs)
		fs.SlowSyncs(200 * time.Millisecond) // a batch is in many of the small files
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					push := pushOp(fmt.Sprintf("%d-%d", i, n))
					push.Contents = make([]byte, 200<<10*(1+i%3)) // some are larger than a file is
					b.must(push)
				}
			})
		}
		for range 1000 {
			time.Sleep(50 * time.Millisecond)
			if _, took := b.must(engine.Op{Kind: engine.Status}); took > 0 {
				t.Fatalf("a look at the queues took %v", took)
			}
		}
		cancel()
		wg.Wait()
		if n := len(fs.Paths()); n < 12 {
			t.Errorf("%d files, so this shows nothing", n)
		}
		if err := b.end(); err != nil {
			t.Error(err)
		}
	})
}
