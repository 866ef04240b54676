package okq_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

// A push that failed is repeated with the same ID. The second try may find that the first had arrived.
func ExampleClient_Push() {
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

	event := okq.Event{Queue: "greetings", ID: "1", Contents: []byte("hello")}
	fmt.Println(client.Push(context.Background(), event))
	err = client.Push(context.Background(), event)
	fmt.Println(errors.Is(err, okq.ErrDuplicate))
	// Output:
	// <nil>
	// true
}
