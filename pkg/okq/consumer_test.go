package okq_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

// consume runs a consumer until the returned function is called, which waits for the end of Run.
func consume(t testing.TB, c *okq.Client, opts okq.ConsumerOptions) (*okq.Consumer, func()) {
	t.Helper()
	if opts.Queues == nil {
		opts.Queues = []okq.QueueWeight{{Queue: "q", Weight: 1}}
	}
	consumer, err := okq.NewConsumer(c, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := consumer.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Error("Run did not return")
		}
	})
	t.Cleanup(stop)
	return consumer, stop
}

// eventually polls until ok, for a minute at most.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func pushN(t testing.TB, c *okq.Client, queue string, n int) {
	t.Helper()
	events := make([]okq.Event, n)
	for i := range events {
		events[i] = okq.Event{Queue: queue, ID: fmt.Sprint(i), Contents: []byte("x")}
	}
	for _, err := range c.PushAll(context.Background(), events) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func status(t testing.TB, c *okq.Client, queue string) okq.QueueStatus {
	t.Helper()
	st, err := c.Status(context.Background(), queue)
	if err != nil {
		t.Fatal(err)
	}
	return st[0]
}

func restart(t testing.TB, server *okqtest.Original) {
	t.Helper()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
}

func ackAll(_ context.Context, batch []*okq.Delivery) {
	for _, d := range batch {
		d.Ack(d.Context())
	}
}

func TestTheConsumerHandlesEachEventOnce(t *testing.T) {
	t.Parallel()
	c := newClient(t, okqtest.RunOriginal(t).Addr())
	pushN(t, c, "q", 1000)
	var mu sync.Mutex
	seen := map[string]int{}
	consumer, stop := consume(t, c, okq.ConsumerOptions{
		Concurrency: 100, Batch: 30,
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			mu.Lock()
			for _, d := range batch {
				seen[d.ID]++
			}
			mu.Unlock()
			ackAll(ctx, batch)
		},
	})
	eventually(t, "all acked", func() bool { return consumer.Stats().Acked == 1000 })
	stop()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("event %s was handled %d times", id, n)
		}
	}
	if st := status(t, c, "q"); len(seen) != 1000 || st.Total != 0 {
		t.Errorf("%d handled, %+v left", len(seen), st)
	}
}

func TestAnIdleConsumerWakesForAPush(t *testing.T) {
	t.Parallel()
	server := okqtest.RunOriginal(t)
	c := newClient(t, server.Addr())
	got := make(chan time.Time, 1)
	consume(t, c, okq.ConsumerOptions{Handle: func(ctx context.Context, batch []*okq.Delivery) {
		got <- time.Now()
		ackAll(ctx, batch)
	}})
	best := time.Hour // the poll alone would need half a second on average
	for i := range 5 {
		eventually(t, "the consumer waits", func() bool { return status(t, c, "q").Consumers == 1 })
		start := time.Now()
		if err := c.Push(t.Context(), okq.Event{Queue: "q", ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		best = min(best, (<-got).Sub(start))
	}
	if best > 100*time.Millisecond {
		t.Errorf("the quickest of 5 pushes took %v to wake the consumer", best)
	}
}

func TestConcurrencyBoundsUnfinishedDeliveries(t *testing.T) {
	t.Parallel()
	c := newClient(t, okqtest.RunOriginal(t).Addr())
	pushN(t, c, "q", 200)
	var now, most atomic.Int64
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Concurrency: 7, Batch: 3,
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			n := now.Add(int64(len(batch)))
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			if len(batch) > 3 {
				t.Errorf("a batch of %d", len(batch))
			}
			for _, d := range batch {
				time.Sleep(time.Millisecond)
				now.Add(-1)
				d.Ack(ctx)
			}
		},
	})
	eventually(t, "all acked", func() bool { return consumer.Stats().Acked == 200 })
	if most.Load() > 7 {
		t.Errorf("%d unfinished at once, want at most 7", most.Load())
	}
}
