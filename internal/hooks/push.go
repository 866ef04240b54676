package hooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
)

// A Pusher puts events into okq: *okq.Client. It answers nil for an event once that is on disk.
type Pusher interface {
	PushAll(ctx context.Context, events []okq.Event, opts ...okq.PushOption) []error
}

// pushTimeout is how long okq may take. SendGrid does not say how long it waits for an answer; a 503 in time is
// better than a 200 that nobody reads.
const pushTimeout = 5 * time.Second

// push returns nil once okq has all events, be it from before. It goes on when the client has gone, who would only
// send the same again.
func push(ctx context.Context, p Pusher, events []okq.Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pushTimeout)
	defer cancel()
	for i, err := range p.PushAll(ctx, events) {
		if err != nil && !errors.Is(err, okq.ErrDuplicate) {
			return fmt.Errorf("part %d of %d: %w", i+1, len(events), err)
		}
	}
	return nil
}
