package journal

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// Journal is an open directory.
type Journal struct {
	key  secret
	lock io.Closer
	pool *pool

	// readers have the segments that the log is in, the oldest first; the last is written to. A change makes a new slice.
	readers atomic.Pointer[[]*segment]

	// The caller's lock protects the fields below.
	segments []*segment // as readers have it
	end      Position   // of what is placed
	filling  *Batch
	spare    *Batch     // to be filled next
	oldest   Position   // where the log begins once what is placed is synced
	retired  []*segment // waiting for a frame that says so
	ready    []*segment // to be written to next, see Prepare
	sealed   bool       // the last batch has no records
}

// Options are what a journal may be opened with.
type Options struct {
	Dir string
	FS  FS
	Log zerolog.Logger
}

// Run keeps segments ready until ctx ends. Without it they are made when they are needed.
func (j *Journal) Run(ctx context.Context) { j.pool.run(ctx) }

// Close gives the directory to others. What was not written is lost.
func (j *Journal) Close() error {
	var errs []error
	j.pool.mu.Lock()
	defer j.pool.mu.Unlock()
	for _, s := range slices.Concat(j.pool.spare, j.segments, j.ready) {
		errs = append(errs, s.file.Close())
	}
	return errors.Join(append(errs, j.lock.Close())...)
}

// Filling is the batch that records are appended to. The caller's lock must be held.
func (j *Journal) Filling() *Batch { return j.filling }

// Keep says that the record there is needed until Drop. The caller's lock must be held.
func (j *Journal) Keep(at Position) { j.count(at, 1) }

// Drop says that it is not any more. The caller's lock must be held.
func (j *Journal) Drop(at Position) { j.count(at, -1) }

func (j *Journal) count(at Position, n int) {
	if at >= j.filling.base {
		j.filling.frameAt(at).kept += n
		return
	}
	j.segments[find(j.segments, at)].kept += n
}

// Used is how many bytes the log reaches back. The caller's lock must be held.
func (j *Journal) Used() int64 { return int64(j.end - j.segments[0].start) }

// SegmentSize is the room of a segment, in bytes.
func (j *Journal) SegmentSize() int64 { return j.pool.size }

// Short tells that the disk is full, and what lies ready for the log is going to an end.
func (j *Journal) Short() bool { return j.pool.short() }

// Sealed tells that nothing was placed since a batch without records, so that Place would write another.
// The caller's lock must be held.
func (j *Journal) Sealed() bool { return j.sealed }
