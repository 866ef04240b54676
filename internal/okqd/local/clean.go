package local

import (
	"context"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

const (
	// slackSegments is how much longer than twice what is needed the log may get, in segments. It then has at least as
	// much in it that is not needed as is, so cleaning writes no more than was written before.
	slackSegments = 4
	// pressedSegments is what cleaning must at least gain on a full disk, in segments.
	pressedSegments = 2
	// cleanStep is how much is moved in one batch, at least.
	cleanStep = 64 << 10
	// cleanRetry is how long to leave the log alone after it could not be read.
	cleanRetry = 5 * time.Second
)

// excessLocked is how many bytes the log is longer than it may be.
func (e *Engine) excessLocked() int64 {
	used, segment := e.journal.Used(), e.journal.SegmentSize()
	if e.space.pressed() || e.journal.Short() {
		return used - e.live - pressedSegments*segment
	}
	return used - 2*e.live - slackSegments*segment
}

// tidyLocked has the log cleaned if it is too long.
func (e *Engine) tidyLocked() {
	if e.excessLocked() <= 0 {
		return
	}
	select {
	case e.untidy <- struct{}{}:
	default:
	}
}

// runCleaner shortens the log at its old end. In most queues what is old is gone and nothing is left to do; else the
// events there are written once more at the new end.
func (e *Engine) runCleaner(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.untidy:
		}
		if err := e.cleanOldest(ctx); err != nil && ctx.Err() == nil {
			e.log.Error().Err(err).Msg("clean the log")
			select {
			case <-ctx.Done():
			case <-time.After(cleanRetry):
			}
		}
	}
}

// cleanOldest moves what is needed out of the oldest segment, little by little, so that nobody waits long for the lock
// or the disk. The journal itself lets go of the segment when that is durable.
func (e *Engine) cleanOldest(ctx context.Context) error {
	e.mu.Lock()
	walk := e.journal.WalkOldest()
	e.mu.Unlock()
	if walk == nil {
		return nil
	}
	moved := int64(0)
	for ctx.Err() == nil {
		at, records, err := walk.Next()
		e.mu.Lock()
		if !walk.Oldest() { // all of it is gone by itself, and what was read may be something else
			e.mu.Unlock()
			return nil
		}
		if err == nil && records != nil {
			moved += e.moveLocked(at, records)
		}
		newest, enough := e.newest, moved >= max(cleanStep, e.excessLocked()/16)
		e.mu.Unlock()
		if err != nil || records == nil {
			return err
		}
		if enough {
			moved = 0
			if err := e.wait(ctx, newest); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveLocked writes those events again, of which these are the records, with all that is known of them.
func (e *Engine) moveLocked(at journal.Position, records []byte) (moved int64) {
	now := e.now()
	for len(records) > 0 {
		size := stateSize
		switch kind(records[0] & kindMask) {
		case kindGone:
			size = goneSize
		case kindEvent:
			var rec eventRecord
			var err error
			if rec, size, err = parseEvent(records); err != nil {
				e.failure.set(err) // its checksum was right: this is no damage
				return moved
			}
			if q := e.queues[string(rec.queue)]; q != nil {
				if ev := q.events[string(rec.id)]; ev != nil && ev.record == at {
					e.moveEventLocked(ev, records[:size], now)
					moved += int64(size)
				}
			}
		}
		at, records = at+journal.Position(size), records[size:]
	}
	return moved
}

func (e *Engine) moveEventLocked(ev *event, record []byte, now int64) {
	at, room := e.batchLocked().Append(len(record)+stateSize, 2)
	copy(room, record)
	span := max(0, time.Duration(ev.at-now))
	m := e.stateLocked(ev, now, span)
	if m.state == taking { // the pop is not told yet, so a crash takes it back
		m.state, m.deliveries = ready, m.deliveries-1
	}
	m.put(room[len(record):])
	e.journal.Drop(ev.record)
	ev.record = at
	e.journal.Keep(at)
}
