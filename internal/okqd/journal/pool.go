package journal

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// spares is how many segments lie ready. Beside saving time they are what a full disk has left for the log.
	spares = 4
	// keepSpares is how many that were used are kept to be used again.
	keepSpares = 8
	// retryEvery is how often making a segment is tried on a full disk.
	retryEvery = time.Second
)

// pool makes segments, and keeps those that are used again.
type pool struct {
	fs   FS
	dir  string
	log  zerolog.Logger
	size int64         // of a segment
	kick chan struct{} // 1 buffered: there may be too few or too many

	mu     sync.Mutex // protects the fields below
	spare  []*segment
	number int  // of the newest file
	failed bool // to make one, the last time
}

// take returns a spare segment of that size at least, or makes one.
func (p *pool) take(size int64) (*segment, error) {
	defer p.wake()
	p.mu.Lock()
	for i, s := range p.spare {
		if s.size >= size {
			p.spare = append(p.spare[:i], p.spare[i+1:]...)
			p.mu.Unlock()
			return s, nil
		}
	}
	s := p.nextLocked(max(size, p.size))
	p.mu.Unlock()
	return s, p.create(s)
}

func (p *pool) nextLocked(size int64) *segment {
	p.number++
	return &segment{name: fmt.Sprintf("%06d%s", p.number, segmentSuffix), size: size}
}

func (p *pool) create(s *segment) (err error) {
	s.file, err = p.fs.Create(filepath.Join(p.dir, s.name), s.size)
	return err
}

// clear removes what is spare when a log is opened. A batch that was torn may have left frames there: taken for what follows
// a batch that is as long, they would come back.
func (p *pool) clear() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.spare {
		if err := p.remove(s); err != nil {
			return err
		}
	}
	p.spare = nil
	p.wake()
	return nil
}

// put gives segments back, as new ones: readers may have the old ones yet, and go by where they start.
func (p *pool) put(segments []*segment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range segments {
		p.spare = append(p.spare, &segment{name: s.name, file: s.file, size: s.size})
	}
	p.wake()
}

func (p *pool) wake() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// short tells that the disk has no room for as many spare segments as there should be.
func (p *pool) short() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed && len(p.spare) < spares/2
}

// run keeps the number of spare segments right until ctx ends.
func (p *pool) run(ctx context.Context) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.kick:
		case <-retry.C:
		}
		for ctx.Err() == nil {
			more, err := p.adjust()
			if err != nil {
				p.log.Warn().Err(err).Msg("no room to prepare the log for more")
				retry.Reset(retryEvery)
			}
			if !more || err != nil {
				break
			}
		}
	}
}

// adjust makes or removes one segment. The lock is not held while the disk works.
func (p *pool) adjust() (more bool, err error) {
	p.mu.Lock()
	for i, s := range p.spare {
		if s.size > p.size || len(p.spare) > keepSpares {
			p.spare = append(p.spare[:i], p.spare[i+1:]...)
			p.mu.Unlock()
			return true, p.remove(s)
		}
	}
	if len(p.spare) >= spares {
		p.failed = false
		p.mu.Unlock()
		return false, nil
	}
	s := p.nextLocked(p.size)
	p.mu.Unlock()
	err = p.create(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed = err != nil; p.failed {
		return false, err
	}
	p.spare = append(p.spare, s)
	return true, nil
}

func (p *pool) remove(s *segment) error {
	s.file.Close() //nolint:errcheck // nothing in it is needed
	return p.fs.Remove(filepath.Join(p.dir, s.name))
}
