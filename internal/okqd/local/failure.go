package local

import (
	"errors"
	"sync"
)

// failure is the end of the engine: the disk does not take what is to be written, or it was closed. After the first,
// nothing is promised to anybody.
type failure struct {
	once     sync.Once
	cause    error
	happened chan struct{} // closed with the first
}

var errClosed = errors.New("closed")

func newFailure() *failure { return &failure{happened: make(chan struct{})} }

func (f *failure) set(err error) {
	f.once.Do(func() {
		f.cause = err
		close(f.happened)
	})
}

// err is the cause; only after happened.
func (f *failure) err() error { return f.cause }
