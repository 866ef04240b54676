package local

import (
	"context"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

const (
	// sealAfter is how long nothing has been written when a seal is: it proves that what came before was synced, so that
	// damage to it is not taken for a write that was cut short.
	sealAfter = time.Second
	// commitTimeout is how long the disk may take for one commit. After it, nobody waits any longer and nothing new is
	// begun until the commit returns.
	commitTimeout = 30 * time.Second
	// slowCommit is how long a commit takes that is logged, and after which a stopping engine writes no seal.
	slowCommit = time.Second
)

// commit is for those who wait for a batch.
type commit struct {
	n    int64         // commits are numbered in order, from 1
	done chan struct{} // closed once it is durable
	late chan struct{} // closed when the disk has not taken it, or the one before it, within commitTimeout
}

func newCommit(n int64) *commit {
	return &commit{n: n, done: make(chan struct{}), late: make(chan struct{})}
}

func (c *commit) isLate() bool { return closed(c.late) }

func closed(ch chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

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
	idle := time.NewTimer(sealAfter)
	defer idle.Stop()
	for err == nil {
		select {
		case <-ctx.Done():
			return e.commitRest()
		case <-e.kick:
			err = e.commitFilling(false)
		case <-idle.C:
			err = e.commitFilling(true)
		}
		idle.Reset(sealAfter)
	}
	e.failure.set(err)
	return err
}

// commitRest writes the ends of leases and delays, for which nobody waits, and a seal if that does not take long.
func (e *Engine) commitRest() error {
	begin := time.Now()
	if err := e.commitFilling(false); err != nil || time.Since(begin) > slowCommit {
		return err
	}
	return e.commitFilling(true)
}

// commitFilling writes what there is to write. seal: if there is nothing, a seal, unless the last was one.
func (e *Engine) commitFilling(seal bool) error {
	e.mu.Lock()
	c := e.filling
	if e.newest != c && (!seal || e.journal.Sealed()) {
		e.mu.Unlock()
		return nil
	}
	if err := e.prepareLocked(); err != nil {
		e.mu.Unlock()
		return err
	}
	e.filling = newCommit(c.n + 1)
	batch, err := e.journal.Place()
	e.tidyLocked()
	e.margin.begin(e.now())
	e.mu.Unlock()
	if err != nil {
		return err
	}
	begin := time.Now()
	e.writing.Store(begin.UnixNano())
	timeout := time.AfterFunc(commitTimeout, func() { e.giveUp(c) })
	defer timeout.Stop()
	if err := e.journal.Write(batch); err != nil {
		return err
	}
	took := time.Since(begin)
	e.writing.Store(0)
	if n := batch.Records(); n > 0 {
		e.metrics.committed(n, took)
	}
	if took >= slowCommit {
		e.slow.Warn().Dur("took_ms", took).Int("bytes", batch.Len()).Msg("disk is slow: a commit took long")
	}
	close(c.done)
	e.mu.Lock()
	e.journal.Done(batch)
	e.durable = c.n
	e.margin.end(e.now())
	if e.filling.isLate() && e.newest != e.filling {
		e.filling = newCommit(e.filling.n) // nobody waits for the late one; whoever comes next need not know of it
	}
	e.mu.Unlock()
	return nil
}

// prepareLocked makes room in the log for the batch, which may grow meanwhile: the lock is not held while the disk works.
func (e *Engine) prepareLocked() error {
	for {
		size, taken := e.journal.Lacks()
		if size == 0 {
			return nil
		}
		if err := e.journal.Prepare(size, taken, &e.mu); err != nil {
			return err
		}
	}
}

// giveUp is called when the disk has not taken c for commitTimeout.
func (e *Engine) giveUp(c *commit) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if closed(c.done) {
		return
	}
	for _, c := range []*commit{c, e.filling} {
		if !c.isLate() {
			close(c.late)
		}
	}
	e.log.Error().Dur("took_ms", commitTimeout).Msg("disk does not answer: commands are refused until it does")
}

// wait returns once c is durable; nil is for something that has been for long. It returns earlier, with an error, when
// ctx ends, when the disk takes too long, and when the engine fails. Then c may still become durable.
func (e *Engine) wait(ctx context.Context, c *commit) error {
	if c == nil || closed(c.done) {
		return nil
	}
	select {
	case <-c.done:
		return nil
	case <-e.failure.happened:
		return e.failure.err()
	case <-c.late:
		return fmt.Errorf("%w within %v", engine.ErrUnconfirmed, commitTimeout)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", engine.ErrUnconfirmed, context.Cause(ctx))
	}
}
