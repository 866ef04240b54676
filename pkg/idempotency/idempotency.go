// Package idempotency keeps the keys that callers of Enqueue give, so that a call that is made again, by a caller who
// never heard the answer or by two at once, is one mail. It knows nothing of queues or of JSON-RPC.
package idempotency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

// ErrUnavailable wraps every error that a store returns because its server could not be reached or did not answer:
// the call may be made again.
var ErrUnavailable = errors.New("idempotency key store unavailable")

// Lifetime is how long a key stands for its mail. After it the key is as good as new.
const Lifetime = 24 * time.Hour

// A Claim is what a key stands for.
type Claim struct {
	ID          job.ID
	Fingerprint []byte    // of the email: another one under the same key is the caller's mistake
	Made        time.Time // to the millisecond
	Confirmed   bool      // the mail is known to have been queued
}

// A Store is safe for concurrent use.
type Store interface {
	// Claim makes key stand for c, unless it stands for another claim that was made less than a Lifetime before c was.
	// It returns what the key stands for then. Of claims made at once, all calls return the same one. When it has
	// returned the claim survives a crash.
	Claim(ctx context.Context, key string, c Claim) (Claim, error)

	// Confirm marks the claim as Confirmed, if key still stands for id.
	Confirm(ctx context.Context, key string, id job.ID) error
}

// available marks the errors of a database that is away with ErrUnavailable.
func available(err error) error {
	if database.Unavailable(err) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
