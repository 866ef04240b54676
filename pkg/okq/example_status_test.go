package okq_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

func ExampleClient_Status() {
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
	ctx := context.Background()
	for _, id := range []string{"1", "2", "3"} {
		if err := client.Push(ctx, okq.Event{Queue: "greetings", ID: id}); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := client.Pop(ctx, "greetings", 1, time.Minute); err != nil {
		log.Fatal(err)
	}

	queues, err := client.Status(ctx)
	for _, q := range queues {
		fmt.Printf("%s: %d events, %d of them leased\n", q.Queue, q.Total, q.Processing)
	}
	fmt.Println(err)
	// Output:
	// greetings: 3 events, 1 of them leased
	// <nil>
}

// Pop, Ack and Redo are what a Consumer is made of.
func ExampleClient_Pop() {
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
	ctx := context.Background()
	client.PushAll(ctx, []okq.Event{{Queue: "q", ID: "1", Contents: []byte("one")}, {Queue: "q", ID: "2", Contents: []byte("two")}})

	events, err := client.Pop(ctx, "q", 10, 30*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range events {
		fmt.Printf("%s %s\n", e.ID, e.Contents)
	}
	fmt.Println(client.Ack(ctx, "q", "1"))     // done with
	fmt.Println(client.Redo(ctx, "q", "2", 0)) // to be popped again
	next, _, err := client.Peek(ctx, "q", okq.PeekFront)
	fmt.Println(next.ID, err)
	// Output:
	// 1 one
	// 2 two
	// true <nil>
	// true <nil>
	// 2 <nil>
}
