package local

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/rs/zerolog"
)

// space knows when the disk has no room for more events. Pops and acks need room too, hence the reserve.
type space struct {
	fs      vfs.FS
	log     zerolog.Logger
	clock   func() time.Time
	dir     string
	minFree int64
	left    atomic.Int64  // until the reserve, by the last look and what was pushed since
	next    atomic.Int64  // when to look again, unix nanoseconds
	refused chan struct{} // 1 buffered: a push was

	mu      sync.Mutex // protects ballast
	ballast *ballast
}

const (
	// lookEvery is how old a look at the disk may be.
	lookEvery = 200 * time.Millisecond
	// amplification is how many bytes of disk a pushed byte may take soon: in the log, in the table it is flushed
	// to, and in the one that is compacted to before the other goes.
	amplification = 3
	// reclaimEvery is how often a full disk makes the store tidy up, at most.
	reclaimEvery = 5 * time.Second
)

func newSpace(cfg Config, log zerolog.Logger, on platform) *space {
	return &space{
		fs: on.fs, log: log, clock: on.clock, dir: cfg.Dir, minFree: cfg.MinFree,
		refused: make(chan struct{}, 1), ballast: newBallast(cfg.Dir, on.fs),
	}
}

// take reserves room for n bytes.
func (s *space) take(n int) bool {
	if s.left.Add(-int64(n)*amplification) >= 0 {
		return true
	}
	select {
	case s.refused <- struct{}{}:
	default:
	}
	return false
}

// look asks the file system, if it has not been asked lately. One that cannot tell is taken to have room: the next
// write will show.
func (s *space) look() {
	now, next := s.clock().UnixNano(), s.next.Load()
	if now < next || !s.next.CompareAndSwap(next, now+int64(lookEvery)) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	avail, reserve, err := s.room()
	if err != nil {
		s.left.Store(1 << 40)
		return
	}
	s.left.Store(avail - reserve)
	if err := s.ballast.trim(avail, reserve); err != nil {
		s.log.Warn().Err(err).Msg("ballast")
	}
}

// room returns what the disk has free, and how much of it is not for pushes.
func (s *space) room() (available, reserve int64, err error) {
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return 0, 0, err
	}
	return int64(usage.AvailBytes), min(s.minFree, int64(usage.TotalBytes/8)), nil
}

// runReclaim gives back what acknowledged events still occupy when the disk is full. The store would do so in time,
// but goes by what is written, and nothing may be.
func (e *Engine) runReclaim(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			return
		case <-e.space.refused:
		}
		if err := e.reclaim(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn().Err(err).Msg("reclaim disk space")
		}
		pause.Reset(reclaimEvery)
	}
}

func (e *Engine) reclaim(ctx context.Context) error {
	if err := e.db.Flush(); err != nil {
		return err
	}
	e.mu.Lock()
	live := e.live
	e.mu.Unlock()
	m := e.db.Metrics()
	if used := m.Table.Local.LiveSize; used < 2*uint64(live)+memTableSize {
		return nil
	}
	return e.db.Compact(ctx, []byte{eventPrefix}, []byte{metaPrefix + 1}, false)
}

// memTableFor is how large a memtable, and with it a log, may be on the disk: a handful of logs can exist at a time.
func memTableFor(dir string, fs vfs.FS) uint64 {
	usage, err := fs.GetDiskUsage(dir)
	if err != nil {
		return memTableSize
	}
	return min(memTableSize, max(1<<20, usage.TotalBytes/64))
}
