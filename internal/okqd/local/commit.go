package local

import (
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// commit is a batch on its way to the disk, and those who wait for it.
type commit struct {
	batch *pebble.Batch
	done  chan struct{} // closed once it is durable
}

func newCommit(db *pebble.DB) *commit {
	return &commit{batch: db.NewBatch(), done: make(chan struct{})}
}

// batchLocked is what changes are added to. Whoever adds, must; the committer is told here.
func (e *Engine) batchLocked() *pebble.Batch {
	if e.newest != e.filling {
		e.newest = e.filling
		select {
		case e.kick <- struct{}{}:
		default:
		}
	}
	return e.filling.batch
}

// mustBatch ends the engine when a change cannot be added to the batch: memory has changed already.
func (e *Engine) mustBatch(err error) {
	if err != nil {
		e.failure.set(err)
	}
}

// runCommitter commits one batch after the other. All that was added while one was being written is the next one, so
// the slower the disk, the larger the batches.
func (e *Engine) runCommitter(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return e.commitFilling() // of what nobody waits for: ends of leases and delays
		case <-e.kick:
		}
		if err := e.commitFilling(); err != nil {
			e.failure.set(err)
			return err
		}
	}
}

func (e *Engine) commitFilling() error {
	e.mu.Lock()
	c := e.filling
	if e.newest != c {
		e.mu.Unlock()
		return nil
	}
	e.filling = newCommit(e.db)
	e.mu.Unlock()

	size, begin := c.batch.Count(), time.Now()
	if err := c.batch.Commit(pebble.Sync); err != nil {
		return err
	}
	e.metrics.committed(size, time.Since(begin))
	close(c.done)
	return c.batch.Close()
}

// wait returns once c is durable; nil stands for something that has been for long.
func (e *Engine) wait(c *commit) error {
	if c == nil {
		return nil
	}
	select {
	case <-c.done:
		return nil
	default:
	}
	select {
	case <-c.done:
		return nil
	case <-e.failure.happened:
		return e.failure.err()
	}
}
