package local

import (
	"sync/atomic"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

// space knows when the disk has no room for more events. Pops and acks need room too, hence the reserve; when even that
// is taken by something else, there still are the segments that lie ready.
type space struct {
	fs      journal.FS
	clock   func() time.Time
	dir     string
	minFree int64
	left    atomic.Int64 // until the reserve, by the last look and what was pushed since
	next    atomic.Int64 // when to look again, unix nanoseconds
}

const (
	// lookEvery is how old a look at the disk may be.
	lookEvery = 200 * time.Millisecond
	// amplification is how many bytes of disk a pushed byte may take soon: where it is, and where it is moved to
	// before the other is free.
	amplification = 2
)

func newSpace(cfg Config, on platform) *space {
	return &space{fs: on.fs, clock: on.clock, dir: cfg.Dir, minFree: cfg.MinFree}
}

// take reserves room for n bytes.
func (s *space) take(n int) bool { return s.left.Add(-int64(n)*amplification) >= 0 }

// pressed tells that there is no room for pushes.
func (s *space) pressed() bool { return s.left.Load() < 0 }

// look asks the file system, if it has not been asked lately. One that cannot tell is taken to have room: the next
// write will show.
func (s *space) look() {
	now, next := s.clock().UnixNano(), s.next.Load()
	if now < next || !s.next.CompareAndSwap(next, now+int64(lookEvery)) {
		return
	}
	avail, reserve, err := s.room()
	if err != nil {
		s.left.Store(1 << 40)
		return
	}
	s.left.Store(avail - reserve)
}

// room returns what the disk has free, and how much of it is not for pushes.
func (s *space) room() (available, reserve int64, err error) {
	available, total, err := s.fs.Usage(s.dir)
	if err != nil {
		return 0, 0, err
	}
	return available, min(s.minFree, total/8), nil
}
