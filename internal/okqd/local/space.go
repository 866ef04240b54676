package local

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// space knows when the disk has no room for more events. Pops and acks need room too, hence the reserve.
type space struct {
	fs      vfs.FS
	clock   func() time.Time
	dir     string
	minFree int64
	left    atomic.Int64 // until the reserve, by the last look and what was pushed since
	looked  atomic.Int64 // unix nanoseconds
}

const (
	// lookEvery is how old a look at the disk may be.
	lookEvery = 200 * time.Millisecond
	// amplification is how many bytes of disk a pushed byte may take soon: in the log, in the table it is flushed
	// to, and in the one that is compacted to before the other goes.
	amplification = 3
)

func newSpace(cfg Config, on platform) *space {
	return &space{fs: on.fs, clock: on.clock, dir: cfg.Dir, minFree: cfg.MinFree}
}

// take reserves room for n bytes.
func (s *space) take(n int) bool {
	if now := s.clock().UnixNano(); now-s.looked.Load() > int64(lookEvery) {
		s.look(now)
	}
	return s.left.Add(-int64(n)*amplification) >= 0
}

// look asks the file system. One that cannot tell is taken to have room: the next write will show.
func (s *space) look(now int64) {
	s.looked.Store(now)
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil || usage.TotalBytes == 0 {
		s.left.Store(1 << 40)
		return
	}
	s.left.Store(int64(usage.AvailBytes) - min(s.minFree, int64(usage.TotalBytes/8)))
}
