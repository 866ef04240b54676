package local

import (
	"context"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

// sealAfter is how long nothing has been written when a seal is: it proves that what came before was synced, so that
// damage to it is not taken for a write that was cut short.
const sealAfter = time.Second

// commit is for those who wait for a batch.
type commit struct {
	done chan struct{} // closed once it is durable
}

func newCommit() *commit { return &commit{done: make(chan struct{})} }

// batchLocked is what changes are added to. Whoever asks for it, must; the committer is told here.
func (e *Engine) batchLocked() *journal.Batch {
	if e.newest != e.filling {
		e.newest = e.filling
		select {
		case e.kick <- struct{}{}:
		default:
		}
	}
	return e.journal.Filling()
}

// runCommitter commits one batch after the other. All that was added while one was being written is the next one, so
// the slower the disk, the larger the batches.
func (e *Engine) runCommitter(ctx context.Context) (err error) {
	idle := time.NewTicker(sealAfter)
	defer idle.Stop()
	busy := false
	for err == nil {
		select {
		case <-ctx.Done():
			if err = e.commitFilling(false); err == nil { // of what nobody waits for: ends of leases and delays
				err = e.commitFilling(true)
			}
			return err
		case <-e.kick:
			busy = true
			err = e.commitFilling(false)
		case <-idle.C:
			if !busy {
				err = e.commitFilling(true)
			}
			busy = false
		}
	}
	e.failure.set(err)
	return err
}

// commitFilling writes what there is to write. seal: if there is nothing, a seal, unless the last was one.
func (e *Engine) commitFilling(seal bool) error {
	e.mu.Lock()
	c := e.filling
	if e.newest != c && (!seal || e.journal.Sealed()) {
		e.mu.Unlock()
		return nil
	}
	e.filling = newCommit()
	batch, err := e.journal.Place()
	e.tidyLocked()
	e.mu.Unlock()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := e.journal.Write(batch); err != nil {
		return err
	}
	if n := batch.Records(); n > 0 {
		e.metrics.committed(n, time.Since(begin))
	}
	close(c.done)
	e.mu.Lock()
	e.journal.Done(batch)
	e.mu.Unlock()
	return nil
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
