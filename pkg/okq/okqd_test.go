package okq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/pkg/okq"
)

func TestOkqdHasTheExtras(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClient(t, okqdtest.RunT(t).Addr)
	if caps, err := c.Caps(ctx); err != nil || caps != (okq.Caps{Delay: true, Count: true, Touch: true, Release: true, Find: true, Scan: true,
		Lease: true, Move: true, Remove: true, Replace: true}) {
		t.Fatalf("caps %+v %v, want all", caps, err)
	}
	pushN(t, c, "q", 5)
	events, err := c.Pop(ctx, "q", 3, time.Minute)
	if err != nil || len(events) != 3 || events[0].ID != "0" || events[0].Deliveries != 1 {
		t.Fatalf("popped %+v %v, want 3, delivered once", events, err)
	}
	if ok, err := c.Redo(ctx, "q", "0", 0); !ok || err != nil {
		t.Errorf("redo: %v %v", ok, err)
	}
	if again, err := c.Pop(ctx, "q", 1, time.Minute); err != nil || len(again) != 1 || again[0].ID != "0" || again[0].Deliveries != 2 {
		t.Errorf("popped %+v %v, want the first again, delivered twice", again, err)
	}
	if ok, err := c.Touch(ctx, "q", "1", time.Minute); !ok || err != nil {
		t.Errorf("touch: %v %v", ok, err)
	}
	if ok, err := c.Touch(ctx, "q", "4", time.Minute); ok || err != nil {
		t.Errorf("touch of an event that is not leased: %v %v", ok, err)
	}
	if err := c.Push(ctx, okq.Event{Queue: "q", ID: "later"}, okq.Delay(time.Hour)); err != nil {
		t.Errorf("push with a delay: %v", err)
	}
	if ok, err := c.Redo(ctx, "q", "2", time.Hour); !ok || err != nil {
		t.Errorf("redo with a delay: %v %v", ok, err)
	}
	st := status(t, c, "q")
	if st.Total != 6 || st.Processing != 2 || st.Delayed != 2 || st.OldestAge > time.Minute {
		t.Errorf("%+v, want 6, of which 2 leased and 2 delayed", st)
	}
	found, ok, err := c.Find(ctx, "q", "2")
	if err != nil || !ok || found.State != okq.StateDelayed || found.Deliveries != 1 || found.Due <= 0 || found.Due > time.Hour {
		t.Errorf("found %+v %v %v, want it delayed for an hour at most", found, ok, err)
	}
	if _, ok, err := c.Find(ctx, "q", "none"); ok || err != nil {
		t.Errorf("an event that is not there: %v %v", ok, err)
	}
	if events, err := c.Pop(ctx, "q", 10, 0); err != nil || len(events) != 2 {
		t.Errorf("popped %+v %v, want the 2 that are ready", events, err)
	}
}

func TestALongHandlerKeepsItsLease(t *testing.T) {
	t.Parallel()
	c := newClient(t, okqdtest.RunT(t).Addr)
	pushN(t, c, "q", 20)
	var calls atomic.Int64
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Concurrency: 40, Batch: 20, Lease: 10 * time.Second,
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			calls.Add(int64(len(batch)))
			select {
			case <-batch[0].Context().Done():
				t.Errorf("the context ended: %v", context.Cause(batch[0].Context()))
			case <-time.After(11 * time.Second): // more than the lease it popped with
			}
			ackAll(ctx, batch)
		},
	})
	eventually(t, "all acked", func() bool { return consumer.Stats().Acked == 20 })
	if s := consumer.Stats(); calls.Load() != 20 || s.Lost != 0 || s.Touched < 20 {
		t.Errorf("%d deliveries, %+v, want 20, extended several times and none lost", calls.Load(), s)
	}
}

func TestAHandlerIsToldThatItsLeaseIsGone(t *testing.T) {
	t.Parallel()
	c := newClient(t, okqdtest.RunT(t).Addr)
	pushN(t, c, "q", 1)
	started := make(chan bool)
	consumer, stop := consume(t, c, okq.ConsumerOptions{
		Lease: 2 * time.Second,
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			close(started)
			<-batch[0].Context().Done()
			if cause := context.Cause(batch[0].Context()); !errors.Is(cause, okq.ErrLeaseLost) {
				t.Errorf("ended by %v, want ErrLeaseLost", cause)
			}
			if err := batch[0].Ack(ctx); !errors.Is(err, okq.ErrLeaseLost) {
				t.Errorf("ack: %v, want ErrLeaseLost", err)
			}
		},
	})
	<-started
	if err := c.Flush(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is told", func() bool { return consumer.Stats().Lost == 1 })
	stop()
}

func TestRedoWithADelayComesAgainAfterIt(t *testing.T) {
	t.Parallel()
	c := newClient(t, okqdtest.RunT(t).Addr)
	pushN(t, c, "q", 1)
	type delivery struct {
		at time.Time
		n  int
	}
	got := make(chan delivery, 3)
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			d := batch[0]
			got <- delivery{time.Now(), d.Deliveries}
			if d.Deliveries == 1 {
				if err := d.Redo(ctx, 300*time.Millisecond); err != nil {
					t.Error(err)
				}
				return
			}
			ackAll(ctx, batch)
		},
	})
	eventually(t, "acked", func() bool { return consumer.Stats().Acked == 1 })
	first, second := <-got, <-got
	if d := second.at.Sub(first.at); d < 300*time.Millisecond || second.n != 2 {
		t.Errorf("delivery %d after %v, want the second after 300ms", second.n, d)
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	server := okqdtest.RunT(t, okqdtest.WithPassword("sesame"))
	for password, ok := range map[string]bool{"sesame": true, "": false, "simsim": false} {
		t.Run(password, func(t *testing.T) {
			t.Parallel()
			c, err := okq.New(okq.Options{Addrs: []string{server.Addr}, Password: password})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			err = c.Push(t.Context(), okq.Event{Queue: "q" + password, ID: "1"})
			if ok {
				if err != nil {
					t.Fatal(err)
				}
				consumer, _ := consume(t, c, okq.ConsumerOptions{Queues: []okq.QueueWeight{{Queue: "q" + password, Weight: 1}}, Handle: ackAll})
				eventually(t, "acked", func() bool { return consumer.Stats().Acked == 1 })
				eventually(t, "the consumer waits", func() bool { return status(t, c, "q"+password).Consumers == 1 })
				return
			}
			if !errors.Is(err, okq.ErrUnavailable) || strings.Contains(err.Error(), "sesame") {
				t.Errorf("push: %v, want ErrUnavailable", err)
			}
		})
	}
}

func TestALargeEventComesBackWhole(t *testing.T) {
	t.Parallel()
	c, err := okq.New(okq.Options{Addrs: []string{okqdtest.RunT(t).Addr}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	contents := bytes.Repeat([]byte("0123456789abcde\n"), 30<<20/16)
	if err := c.Push(t.Context(), okq.Event{Queue: "q", ID: "1", Contents: contents}); err != nil {
		t.Fatal(err)
	}
	events, err := c.Pop(t.Context(), "q", 4, 0)
	if err != nil || len(events) != 1 || !bytes.Equal(events[0].Contents, contents) {
		t.Errorf("popped %d events, %v", len(events), err)
	}
}

// The server is stopped and started several times under a consumer and a producer. What was acknowledged is handled.
func TestNoEventIsLostWhenOkqdRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := okqdtest.RunT(t, okqdtest.WithDir(dir))
	addr := server.Addr
	c := newClient(t, addr)
	var mu sync.Mutex
	handled, acked := map[string]int{}, map[string]bool{}
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Concurrency: 20, Batch: 5, Lease: 2 * time.Second,
		Handle: func(_ context.Context, batch []*okq.Delivery) {
			for _, d := range batch {
				mu.Lock()
				handled[d.ID]++
				if acked[d.ID] {
					t.Errorf("event %s came again after its ack", d.ID)
				}
				mu.Unlock()
				if d.Ack(d.Context()) == nil {
					mu.Lock()
					acked[d.ID] = true
					mu.Unlock()
				}
			}
		},
	})
	const events = 600
	pushed := make(chan bool)
	go func() {
		defer close(pushed)
		for i := range events {
			event := okq.Event{Queue: "q", ID: fmt.Sprint(i), Contents: []byte("x")}
			for err := c.Push(context.Background(), event); err != nil && !errors.Is(err, okq.ErrDuplicate); err = c.Push(context.Background(), event) {
				time.Sleep(5 * time.Millisecond)
			}
		}
	}()
	for n := range 3 {
		eventually(t, "some acked", func() bool { return consumer.Stats().Acked > uint64(n*150+50) })
		server.Stop()
		server = okqdtest.RunT(t, okqdtest.WithDir(dir), okqdtest.WithAddr(addr))
	}
	<-pushed
	eventually(t, "all gone", func() bool { st, err := c.Status(t.Context(), "q"); return err == nil && st[0].Total == 0 })
	mu.Lock()
	defer mu.Unlock()
	for i := range events {
		if handled[fmt.Sprint(i)] == 0 {
			t.Errorf("event %d is gone and was never handled", i)
		}
	}
}

func TestTrafficIsCountedByQueue(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClient(t, okqdtest.RunT(t).Addr)
	pushN(t, c, `odd "name", in=1`, 3)
	pushN(t, c, "q", 2)
	if events, err := c.Pop(ctx, "q", 1, time.Minute); err != nil || len(events) != 1 {
		t.Fatalf("popped %v %v", events, err)
	}
	if ok, err := c.Ack(ctx, "q", "0"); !ok || err != nil {
		t.Fatalf("ack: %v %v", ok, err)
	}
	traffic, err := c.Traffic(ctx)
	if err != nil || traffic["q"] != (okq.Traffic{Pushed: 2, Acked: 1}) || traffic[`odd "name", in=1`] != (okq.Traffic{Pushed: 3}) {
		t.Errorf("traffic %+v, %v; want 2 pushed and 1 acked, 3 pushed", traffic, err)
	}
}

func TestWhatAHandlerDidNotTryDoesNotCount(t *testing.T) {
	t.Parallel()
	c := newClient(t, okqdtest.RunT(t).Addr)
	pushN(t, c, "q", 1)
	var calls atomic.Int64
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			switch n, d := calls.Add(1), batch[0]; {
			case n <= 5:
				if d.Deliveries != 1 {
					t.Errorf("call %d: %d deliveries, want 1: nobody tried before", n, d.Deliveries)
				}
			case n == 6:
				if err := d.Redo(ctx, 0); err != nil {
					t.Error(err)
				}
			default:
				if d.Deliveries != 2 {
					t.Errorf("%d deliveries after a Redo, want 2", d.Deliveries)
				}
				ackAll(ctx, batch)
			}
		},
	})
	eventually(t, "acked", func() bool { return consumer.Stats().Acked == 1 })
}
