package hooks

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
)

// stuck is an okq that takes what it is sent and never answers.
type stuck struct{}

func (stuck) PushAll(ctx context.Context, events []okq.Event, _ ...okq.PushOption) []error {
	<-ctx.Done()
	return []error{okq.ErrUnavailable}
}

func TestEventsThatOkqIsTooSlowForKeepTheirMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var released atomic.Bool
		var outcome error
		began := time.Now()
		err := push(t.Context(), stuck{}, make([]okq.Event, 1), func(err error) {
			outcome = err
			released.Store(true)
		})
		if took := time.Since(began); !errors.Is(err, okq.ErrUnavailable) || took != pushTimeout {
			t.Errorf("%v after %v, want unavailable after %v", err, took, pushTimeout)
		}
		if released.Load() {
			t.Error("released while okq's client still holds the events")
		}
		time.Sleep(letGo - pushTimeout)
		synctest.Wait()
		if !released.Load() {
			t.Error("never released")
		} else if !errors.Is(outcome, okq.ErrUnavailable) {
			t.Errorf("released with %v: its memory would be another body's while it is still being sent", outcome)
		}
	})
}
