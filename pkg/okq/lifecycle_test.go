package okq_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

func TestWhatAHandlerLeavesIsGivenBack(t *testing.T) {
	t.Parallel()
	c := newClient(t, okqtest.RunOriginal(t).Addr())
	pushN(t, c, "q", 3)
	var calls atomic.Int64
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			if calls.Add(1) > 5 {
				ackAll(ctx, batch)
			}
		},
	})
	eventually(t, "all acked", func() bool { return consumer.Stats().Acked == 3 })
	if s := consumer.Stats(); s.Redone != 5 || s.InFlight != 0 {
		t.Errorf("%+v, want 5 redone", s)
	}
}

func TestAPanicCostsOnlyItsOwnBatch(t *testing.T) {
	t.Parallel()
	server := okqtest.RunOriginal(t, okqtest.ScanEvery(20*time.Millisecond))
	c := newClient(t, server.Addr())
	pushN(t, c, "q", 5)
	var once sync.Once
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Lease: time.Second, // on this server the panic's delay is the lease
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			once.Do(func() { panic("bad event " + batch[0].ID) })
			ackAll(ctx, batch)
		},
	})
	eventually(t, "all acked", func() bool { return consumer.Stats().Acked == 5 })
	if s := consumer.Stats(); s.Panics != 1 || s.Redone != 1 {
		t.Errorf("%+v, want one panic, given back", s)
	}
}

func TestStoppingWaitsForHandlers(t *testing.T) {
	t.Parallel()
	c := newClient(t, okqtest.RunOriginal(t).Addr())
	pushN(t, c, "q", 2)
	started, finish := make(chan bool, 2), make(chan bool)
	consumer, stop := consume(t, c, okq.ConsumerOptions{
		DrainWait: time.Minute,
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			started <- true
			<-finish
			if err := batch[0].Context().Err(); err != nil {
				t.Errorf("context of a handler that may finish: %v", err)
			}
			ackAll(ctx, batch)
		},
	})
	<-started
	stopped := make(chan bool)
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
		t.Error("Run returned while a handler was running")
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	<-stopped
	if s := consumer.Stats(); s.Acked != 1 || len(started) != 0 {
		t.Errorf("%+v, and %d more started, want one acked and no other popped", s, len(started))
	}
	if st := status(t, c, "q"); st.Total != 1 || st.Processing != 0 {
		t.Errorf("%+v, want the other event waiting", st)
	}
}

func TestHandlersAreCutOffAfterDrainWaitAndTheirEventsGivenBack(t *testing.T) {
	t.Parallel()
	for name, obeys := range map[string]bool{"the handler returns": true, "the handler is stuck": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, okqtest.RunOriginal(t).Addr())
			pushN(t, c, "q", 10)
			release := make(chan bool)
			consumer, stop := consume(t, c, okq.ConsumerOptions{
				Concurrency: 10, Batch: 10, DrainWait: 20 * time.Millisecond,
				Handle: func(ctx context.Context, batch []*okq.Delivery) {
					<-batch[0].Context().Done()
					if cause := context.Cause(batch[0].Context()); !errors.Is(cause, okq.ErrDrainTimeout) {
						t.Errorf("cut off by %v, want ErrDrainTimeout", cause)
					}
					if !obeys {
						<-release
					}
				},
			})
			eventually(t, "all are being handled", func() bool { return consumer.Stats().InFlight == 10 })
			stopped := make(chan bool)
			go func() { stop(); close(stopped) }()
			eventually(t, "all given back", func() bool { st := status(t, c, "q"); return st.Total == 10 && st.Processing == 0 })
			close(release)
			<-stopped
			if s := consumer.Stats(); s.Redone != 10 || s.InFlight != 0 {
				t.Errorf("%+v, want 10 redone", s)
			}
		})
	}
}

func TestWithoutTouchTheContextEndsBeforeTheLease(t *testing.T) {
	t.Parallel()
	server := okqtest.RunOriginal(t, okqtest.ScanEvery(10*time.Millisecond))
	c := newClient(t, server.Addr())
	pushN(t, c, "q", 1)
	var deliveries atomic.Int64
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Concurrency: 2, Lease: time.Second,
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			d := batch[0]
			if deliveries.Add(1) > 1 {
				ackAll(ctx, batch)
				return
			}
			if deadline, ok := d.Context().Deadline(); !ok || time.Until(deadline) > time.Second {
				t.Errorf("deadline %v %v, want one within the lease", deadline, ok)
			}
			<-d.Context().Done()
			if cause := context.Cause(d.Context()); !errors.Is(cause, okq.ErrLeaseLost) {
				t.Errorf("ended by %v, want ErrLeaseLost", cause)
			}
			if n := deliveries.Load(); n != 1 {
				t.Errorf("delivered %d times before the first was told", n)
			}
			if err := d.Redo(ctx, 0); !errors.Is(err, okq.ErrLeaseLost) {
				t.Errorf("redo: %v, want ErrLeaseLost", err)
			}
		},
	})
	eventually(t, "the second delivery is acked", func() bool { return consumer.Stats().Acked == 1 })
	if s := consumer.Stats(); s.Lost != 1 {
		t.Errorf("%+v, want one lost", s)
	}
}

func TestWithoutDelaysRedoLeavesTheLeaseToRunOut(t *testing.T) {
	t.Parallel()
	server := okqtest.RunOriginal(t, okqtest.ScanEvery(10*time.Millisecond))
	c := newClient(t, server.Addr())
	pushN(t, c, "q", 1)
	popped := make(chan time.Time, 2)
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Lease: time.Second,
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			popped <- time.Now()
			if len(popped) == 1 {
				if err := batch[0].Redo(ctx, time.Millisecond); err != nil {
					t.Error(err)
				}
				if err := batch[0].Ack(ctx); !errors.Is(err, okq.ErrFinished) {
					t.Errorf("ack after redo: %v, want ErrFinished", err)
				}
				return
			}
			ackAll(ctx, batch)
		},
	})
	eventually(t, "acked", func() bool { return consumer.Stats().Acked == 1 })
	if first, second := <-popped, <-popped; second.Sub(first) < 900*time.Millisecond {
		t.Errorf("it came again after %v, before its lease was over", second.Sub(first))
	}
	if n := server.Calls("QACK"); n != 1 {
		t.Errorf("%d QACKs, want only the ack", n)
	}
}

func TestNothingIsPoppedWhileTheGateIsClosed(t *testing.T) {
	t.Parallel()
	c := newClient(t, okqtest.RunOriginal(t).Addr())
	pushN(t, c, "q", 3)
	gate, asked := make(chan bool), make(chan bool, 100)
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Gate: func(ctx context.Context) error {
			asked <- true
			select {
			case <-gate:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		Handle: ackAll,
	})
	<-asked
	if st := status(t, c, "q"); st.Total != 3 || st.Processing != 0 {
		t.Errorf("%+v, want nothing popped", st)
	}
	gate <- true
	eventually(t, "one acked", func() bool { return consumer.Stats().Acked == 1 })
	<-asked
	if st := status(t, c, "q"); st.Total != 2 || st.Processing != 0 {
		t.Errorf("%+v, want no more popped", st)
	}
	close(gate)
	eventually(t, "all acked", func() bool { return consumer.Stats().Acked == 3 })
}

func TestAHeavyQueueIsPreferredAndALightOneNotStarved(t *testing.T) {
	t.Parallel()
	c := newClient(t, okqtest.RunOriginal(t).Addr())
	pushN(t, c, "high", 100)
	pushN(t, c, "normal", 100)
	var mu sync.Mutex
	var order []string
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Queues: []okq.QueueWeight{{Queue: "normal", Weight: 1}, {Queue: "high", Weight: 10}},
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			mu.Lock()
			order = append(order, batch[0].Queue)
			mu.Unlock()
			ackAll(ctx, batch)
		},
	})
	eventually(t, "all acked", func() bool { return consumer.Stats().Acked == 200 })
	count := map[string]int{}
	for _, queue := range order[:110] {
		count[queue]++
	}
	if count["high"] != 100 || count["normal"] != 10 {
		t.Errorf("of the first 110: %v, want 100 high and 10 normal", count)
	}
}

func TestNoEventIsLostWhenTheServerRestarts(t *testing.T) {
	t.Parallel()
	server := okqtest.RunOriginal(t, okqtest.ScanEvery(50*time.Millisecond))
	c := newClient(t, server.Addr())
	pushN(t, c, "q", 500)
	var mu sync.Mutex
	seen := map[string]bool{}
	consumer, _ := consume(t, c, okq.ConsumerOptions{
		Concurrency: 20, Batch: 5, Lease: 2 * time.Second,
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			for _, d := range batch {
				time.Sleep(time.Millisecond)
				mu.Lock()
				seen[d.ID] = true
				mu.Unlock()
				d.Ack(ctx)
			}
		},
	})
	for n := range 3 {
		eventually(t, "some acked", func() bool { return consumer.Stats().Acked > uint64(n*100+50) })
		server.Stop()
		time.Sleep(20 * time.Millisecond)
		restart(t, server)
	}
	eventually(t, "all gone", func() bool { st, err := c.Status(t.Context(), "q"); return err == nil && st[0].Total == 0 })
	mu.Lock()
	defer mu.Unlock()
	for i := range 500 {
		if !seen[fmt.Sprint(i)] {
			t.Errorf("event %d is gone and was never handled", i)
		}
	}
}

func TestAnAckOutlastsABrokenConnection(t *testing.T) {
	t.Parallel()
	server := okqtest.RunOriginal(t)
	c := newClient(t, server.Addr())
	pushN(t, c, "q", 1)
	result := make(chan error)
	stopped := make(chan bool)
	consume(t, c, okq.ConsumerOptions{Handle: func(ctx context.Context, batch []*okq.Delivery) {
		server.Stop()
		close(stopped)
		result <- batch[0].Ack(ctx)
	}})
	<-stopped
	select {
	case err := <-result:
		t.Fatalf("the ack gave up: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	restart(t, server)
	if err := <-result; err != nil {
		t.Errorf("ack after the server came back: %v", err)
	}
	if st := status(t, c, "q"); st.Total != 0 {
		t.Errorf("%+v, want nothing left", st)
	}
}
