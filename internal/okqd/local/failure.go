package local

import (
	"errors"
	"fmt"
	"sync"

	"github.com/rs/zerolog"
)

// failure is the end of the engine: the store cannot write any more, or it was closed. After the first, nothing is
// promised to anybody.
type failure struct {
	once     sync.Once
	cause    error
	happened chan struct{} // closed with the first
	store    chan struct{} // closed when it was the store
}

var errClosed = errors.New("closed")

func newFailure() *failure {
	return &failure{happened: make(chan struct{}), store: make(chan struct{})}
}

func (f *failure) set(err error) {
	f.once.Do(func() {
		f.cause = err
		close(f.happened)
		if !errors.Is(err, errClosed) {
			close(f.store)
		}
	})
}

// err is the cause; only after happened.
func (f *failure) err() error { return f.cause }

// storeLogger is the store's logger. What the store cannot survive it tells by Fatalf, which must not return.
type storeLogger struct {
	log     zerolog.Logger
	failure *failure
}

func (l storeLogger) Infof(format string, args ...any) {
	l.log.Debug().Msgf(format, args...)
}

func (l storeLogger) Errorf(format string, args ...any) {
	l.log.Error().Msgf(format, args...)
}

func (l storeLogger) Fatalf(format string, args ...any) {
	l.failure.set(fmt.Errorf(format, args...))
	select {} // IMPORTANT: to go on would be to acknowledge what is not on disk; Run ends the process
}
