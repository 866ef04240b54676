package hooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
)

// A Pusher puts events into okq: *okq.Client. It answers nil for an event once that is on disk, and has no use for the
// contents then.
type Pusher interface {
	PushAll(ctx context.Context, events []okq.Event, opts ...okq.PushOption) []error
	// Attend counts as a consumer of the event's queue until ctx ends.
	Attend(ctx context.Context, mark okq.Event)
	// Replace gives an event that is queued other contents.
	Replace(ctx context.Context, e okq.Event, delay time.Duration) (bool, error)
}

const (
	// pushTimeout is how long a client waits for okq. SendGrid does not say how long it waits for an answer; a 503 in
	// time is better than a 200 that nobody reads.
	pushTimeout = 5 * time.Second
	// letGo is when okq's client is done with events in any case: it gives up a server that is silent for
	// okq.DefaultTimeout, and until then holds what it was to send.
	letGo = okq.DefaultTimeout + 5*time.Second
)

// push returns nil once okq has a batch, be it from before. It goes on when the client has gone, who would only
// send the same again. released is called with the outcome once the push has ended, which may be after the client was
// told that okq is too slow: memory that is given back earlier would be promised twice.
func push(ctx context.Context, p Pusher, b *batch, released func(error)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), letGo)
	pushed := make(chan error, 1)
	go func() {
		defer cancel()
		err := pushAll(ctx, p, b)
		released(err)
		pushed <- err
	}()
	slow := time.NewTimer(pushTimeout)
	defer slow.Stop()
	select {
	case err := <-pushed:
		return err
	case <-slow.C:
		return fmt.Errorf("%w: no answer for %v", okq.ErrUnavailable, pushTimeout)
	}
}

// pushAll pushes the opt-outs first, to the front of the queue: they count for emails that are sent while many events wait.
func pushAll(ctx context.Context, p Pusher, b *batch) error {
	if len(b.optOuts) > 0 {
		if err := pushed(p.PushAll(ctx, b.optOuts, okq.Front())); err != nil {
			return fmt.Errorf("opt-outs: %w", err)
		}
	}
	if len(b.events) == 0 {
		return nil
	}
	return pushed(p.PushAll(ctx, b.events))
}

func pushed(results []error) error {
	for i, err := range results {
		if err != nil && !errors.Is(err, okq.ErrDuplicate) {
			return fmt.Errorf("part %d of %d: %w", i+1, len(results), err)
		}
	}
	return nil
}
