package okq_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

func ExampleClient_PushAll() {
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

	errs := client.PushAll(context.Background(), []okq.Event{
		{Queue: "greetings", ID: "1", Contents: []byte("hello")},
		{Queue: "greetings", ID: "2", Contents: []byte("good morning")},
		{Queue: "greetings", ID: "1", Contents: []byte("hello again")},
	})
	for i, err := range errs {
		fmt.Println(i, err)
	}
	fmt.Println(errors.Join(errs...) != nil)
	// Output:
	// 0 <nil>
	// 1 <nil>
	// 2 push "greetings": duplicate event
	// true
}
