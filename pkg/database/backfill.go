package database

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// A Backfill adds a field to documents of older versions, in the background and through errors of any kind. It may end
// at any point and start again.
type Backfill struct {
	cancel context.CancelFunc
	ended  sync.WaitGroup
	done   chan struct{} // closed once every document of before has the field
}

const (
	backfillWait  = 3 * time.Second // how long StartBackfill waits for it
	backfillRetry = 5 * time.Second // after an error
)

// StartBackfill calls work until it returns nil. What it works for is Done from the start if isComplete, as after an
// earlier run, and then work only looks for what an older process has added since. Most collections are done before
// StartBackfill returns; late is called if one is not.
func StartBackfill(ctx context.Context, log zerolog.Logger, isComplete bool, late func(), work func(context.Context) error) (*Backfill, error) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &Backfill{cancel: cancel, done: make(chan struct{})}
	if isComplete {
		close(b.done)
	}
	b.ended.Go(func() {
		if untilDone(running, log, work) && !isComplete {
			close(b.done)
		}
	})
	timer := time.NewTimer(backfillWait)
	defer timer.Stop()
	select {
	case <-b.done:
	case <-timer.C:
		late()
	case <-ctx.Done():
		b.Stop()
		return nil, ctx.Err()
	}
	return b, nil
}

// untilDone reports false if ctx ended first.
func untilDone(ctx context.Context, log zerolog.Logger, work func(context.Context) error) bool {
	for {
		err := work(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() == nil {
			log.Warn().Err(err).Msg("index stored addresses, will retry")
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(backfillRetry):
		}
	}
}

// Done tells whether every document of before has the field.
func (b *Backfill) Done() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// Stop ends the work, which goes on when it is started again.
func (b *Backfill) Stop() {
	b.cancel()
	b.ended.Wait()
}
