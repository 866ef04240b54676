package okq_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/pkg/okq"
)

var kilobyte = make([]byte, 1024)

// BenchmarkPush pushes events of 1 KiB, each durable before the next of its goroutine.
func BenchmarkPush(b *testing.B) {
	for _, pool := range []int{1, 4, 8} {
		b.Run(fmt.Sprintf("goroutines=64/pool=%d", pool), func(b *testing.B) {
			c := benchClient(b, pool)
			var id atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range 64 {
				wg.Go(func() {
					for n := id.Add(1); n <= int64(b.N); n = id.Add(1) {
						if err := c.Push(context.Background(), okq.Event{Queue: "q", ID: fmt.Sprint(n), Contents: kilobyte}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkConsume pops and acks events of 1 KiB, each on its own, by a consumer.
func BenchmarkConsume(b *testing.B) {
	c := benchClient(b, 4)
	events := make([]okq.Event, b.N)
	for i := range events {
		events[i] = okq.Event{Queue: "q", ID: fmt.Sprint(i), Contents: kilobyte}
	}
	for _, err := range c.PushAll(context.Background(), events) {
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	consumer, err := okq.NewConsumer(c, okq.ConsumerOptions{
		Queues: []okq.QueueWeight{{Queue: "q", Weight: 1}}, Concurrency: 256, Batch: 64,
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			var wg sync.WaitGroup
			for _, d := range batch {
				wg.Go(func() {
					if err := d.Ack(ctx); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
			if left.Add(-int64(len(batch))) <= 0 {
				cancel()
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := consumer.Run(ctx); err != nil {
		b.Fatal(err)
	}
}

func benchClient(b *testing.B, pool int) *okq.Client {
	b.Helper()
	c, err := okq.New(okq.Options{Addrs: []string{okqdtest.RunT(b).Addr}, PoolSize: pool})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	if err := c.Ping(context.Background()); err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkWake measures from a push to the handler of a consumer that was waiting.
func BenchmarkWake(b *testing.B) {
	c := benchClient(b, 4)
	got := make(chan bool)
	consume(b, c, okq.ConsumerOptions{Handle: func(ctx context.Context, batch []*okq.Delivery) {
		ackAll(ctx, batch)
		got <- true
	}})
	b.ResetTimer()
	for n := range b.N {
		if err := c.Push(context.Background(), okq.Event{Queue: "q", ID: fmt.Sprint(n)}); err != nil {
			b.Fatal(err)
		}
		<-got
	}
}
