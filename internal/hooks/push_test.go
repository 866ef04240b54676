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

func (stuck) Attend(context.Context, okq.Event) {}

func (stuck) Replace(context.Context, okq.Event, time.Duration) (bool, error) { return false, nil }

func (stuck) PushAll(ctx context.Context, events []okq.Event, _ ...okq.PushOption) []error {
	<-ctx.Done()
	return []error{okq.ErrUnavailable}
}

func TestEventsThatOkqIsTooSlowForKeepTheirMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var released atomic.Bool
		var outcome error
		began := time.Now()
		err := push(t.Context(), stuck{}, &batch{events: make([]okq.Event, 1)}, func(err error) {
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

// attending counts how often it is attended, and ends an attendance only with its context.
type attending struct {
	stuck
	times, now *atomic.Int32
}

func (a attending) Attend(ctx context.Context, _ okq.Event) {
	a.times.Add(1)
	a.now.Add(1)
	<-ctx.Done()
	a.now.Add(-1)
}

// Workers must not count time in which SendGrid is refused because okq takes no events.
func TestPmHooksIsAbsentForAWhileAfterOkqTookNoEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p presence
		a := attending{times: new(atomic.Int32), now: new(atomic.Int32)}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go p.run(ctx, a)
		synctest.Wait()
		p.suspend()
		time.Sleep(suspension - time.Second)
		synctest.Wait()
		if a.times.Load() != 1 || a.now.Load() != 0 {
			t.Errorf("attended %d times, %d now, want 1 and 0", a.times.Load(), a.now.Load())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if a.times.Load() != 2 || a.now.Load() != 1 {
			t.Errorf("attended %d times, %d now, want 2 and 1", a.times.Load(), a.now.Load())
		}
	})
}
