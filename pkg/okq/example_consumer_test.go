package okq_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

// A consumer runs until its context ends. This one ends it itself, after the last event.
func ExampleConsumer() {
	server, err := okqtest.StartOriginal() // in place of an okqd
	if err != nil {
		log.Fatal(err)
	}
	defer server.Stop()
	client, err := okq.New(okq.Options{Addrs: []string{server.Addr()}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client.Push(ctx, okq.Event{Queue: "orders-normal", ID: "1", Contents: []byte("tea")})
	client.Push(ctx, okq.Event{Queue: "orders-high", ID: "2", Contents: []byte("coffee")})

	consumer, err := okq.NewConsumer(client, okq.ConsumerOptions{
		Queues:    []okq.QueueWeight{{Queue: "orders-high", Weight: 10}, {Queue: "orders-normal", Weight: 1}},
		Lease:     time.Minute,
		DrainWait: 10 * time.Second,
		Handle: func(ctx context.Context, batch []*okq.Delivery) {
			for _, d := range batch {
				fmt.Printf("%s: %s\n", d.Queue, d.Contents)
				if err := d.Ack(ctx); err != nil {
					log.Print(err) // it comes again
				}
				if string(d.Contents) == "tea" {
					cancel()
				}
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(consumer.Run(ctx))
	// Output:
	// orders-high: coffee
	// orders-normal: tea
	// <nil>
}
