package okq_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"os"

	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

// Two okqd on one Redis, behind TLS and a password. One is used at a time; when it is away, the other is.
func ExampleNew() {
	ca, err := os.ReadFile("/etc/okq/ca.pem")
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client, err := okq.New(okq.Options{
		Addrs:    []string{"okq-1.internal:4777", "okq-2.internal:4777"},
		Password: os.Getenv("OKQ_PASSWORD"),
		TLS:      &tls.Config{RootCAs: roots},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	fmt.Println(client.Ping(context.Background()))
}

// Flush empties a queue, leased events too.
func ExampleClient_Flush() {
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
	fmt.Println(client.Push(ctx, okq.Event{Queue: "old", ID: "1"}))
	fmt.Println(client.Flush(ctx, "old"))
	_, found, err := client.Peek(ctx, "old", okq.PeekFront)
	fmt.Println(found, err)
	// Output:
	// <nil>
	// <nil>
	// false <nil>
}
