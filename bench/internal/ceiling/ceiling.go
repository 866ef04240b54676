// Package ceiling is the least that anything in front of okqd does: it pushes what it read, and looks at none of it.
package ceiling

import (
	"context"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// Push pushes a body, and returns once okqd has it for good.
type Push func(ctx context.Context, body []byte) error

// To returns a Push to the okqd at addr, for as long as the process lives; without addr one that does nothing.
func To(addr string) (Push, error) {
	if addr == "" {
		return func(context.Context, []byte) error { return nil }, nil
	}
	client, err := okq.New(okq.Options{Addrs: []string{addr}})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, body []byte) error {
		return client.Push(ctx, okq.Event{Queue: "ceiling", ID: string(job.NewID()), Contents: body})
	}, nil
}
