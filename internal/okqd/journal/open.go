package journal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	lockName       = "LOCK"
	segmentSuffix  = ".segment"
	maxSegmentSize = 16 << 20
	minSegmentSize = 256 << 10
)

// Open locks the directory, made if need be, and hands over all records that are in it, a frame's together, in the order
// in which they were written. The bytes are valid during the call only.
func Open(opts Options, record func(Position, []byte) error) (*Journal, error) {
	if err := opts.FS.MkdirAll(opts.Dir); err != nil {
		return nil, err
	}
	lock, err := opts.FS.Lock(filepath.Join(opts.Dir, lockName))
	if err != nil {
		return nil, err
	}
	j := &Journal{lock: lock, pool: &pool{
		fs: opts.FS, dir: opts.Dir, log: opts.Log, size: segmentSize(opts), kick: make(chan struct{}, 1),
	}}
	if err := j.open(opts, record); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// segmentSize is small on a small disk.
func segmentSize(opts Options) int64 {
	_, total, err := opts.FS.Usage(opts.Dir)
	if err != nil {
		return maxSegmentSize
	}
	return align64(min(maxSegmentSize, max(minSegmentSize, total/64)))
}

func align64(n int64) int64 { return n &^ (4<<10 - 1) }

func (j *Journal) open(opts Options, record func(Position, []byte) error) error {
	names, err := opts.FS.List(opts.Dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	segments := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasSuffix(name, segmentSuffix) })
	if j.key, err = openSecret(opts, names, len(segments) == 0); err != nil {
		return err
	}
	inUse, err := j.openSegments(segments)
	if err != nil {
		return err
	}
	if len(inUse) == 0 {
		s, err := j.pool.take(0)
		if err != nil {
			return err
		}
		j.publish([]*segment{s})
	} else {
		j.publish(inUse)
		if err := j.replay(opts, record); err != nil {
			return err
		}
	}
	if err := j.pool.clear(); err != nil {
		return err
	}
	if err := opts.FS.SyncDir(opts.Dir); err != nil {
		return fmt.Errorf("sync %s: %w", opts.Dir, err)
	}
	j.filling, j.oldest = &Batch{base: j.end}, j.segments[0].start
	return nil
}

// openSegments opens the files and tells the log's from the spare ones.
func (j *Journal) openSegments(names []string) (inUse []*segment, err error) {
	for _, name := range names {
		n, err := strconv.Atoi(strings.TrimSuffix(name, segmentSuffix))
		if err != nil {
			return nil, fmt.Errorf("%s: not a name of okqd's", name)
		}
		j.pool.number = max(j.pool.number, n)
		s := &segment{name: name}
		if s.file, err = j.pool.fs.Open(filepath.Join(j.pool.dir, name)); err != nil {
			return nil, err
		}
		j.pool.spare = append(j.pool.spare, s)
		if s.size, err = s.file.Size(); err != nil {
			return nil, err
		}
		used, err := j.begins(s)
		if err != nil {
			return nil, err
		}
		if used {
			inUse = append(inUse, s)
		}
	}
	if len(inUse) == 0 {
		return nil, nil
	}
	slices.SortFunc(inUse, func(a, b *segment) int { return cmp.Compare(a.start, b.start) })
	oldest, err := j.beginning(inUse)
	if err != nil {
		return nil, err
	}
	i, ok := slices.BinarySearchFunc(inUse, oldest, func(s *segment, at Position) int { return cmp.Compare(s.start, at) })
	if !ok {
		return nil, fmt.Errorf("%w: the segment with position %d is missing", ErrDamaged, oldest)
	}
	inUse = inUse[i:]
	j.pool.spare = slices.DeleteFunc(j.pool.spare, func(s *segment) bool { return slices.Contains(inUse, s) })
	return inUse, nil
}

// begins reads the first header of a segment. False: nothing was ever written to it.
func (j *Journal) begins(s *segment) (bool, error) {
	w := window{file: s.file, size: s.size}
	head, err := w.bytes(0, headerSize)
	if err != nil {
		return false, fmt.Errorf("%s: %w", s.name, err)
	}
	h, ok := parseHeader(head, j.key)
	s.start = h.at
	switch {
	case ok:
		return true, nil
	case len(head) == 0 || zero(head):
		return false, nil
	}
	return false, s.damaged(s.start, "no header")
}

// beginning is where the log begins, as the last whole frame has it. What a torn one has is never gone by: the frame is wiped,
// and what it gives up would be written over while nothing on the disk says so.
func (j *Journal) beginning(inUse []*segment) (Position, error) {
	for _, s := range slices.Backward(inUse) {
		w := window{file: s.file, size: s.size}
		oldest, at := Position(0), s.start
		for {
			h, _, whole, err := w.frame(s, at, j.key)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", s.name, err)
			}
			if !whole {
				break
			}
			oldest = max(oldest, h.oldest)
			at += Position(h.size())
		}
		if at > s.start {
			return oldest, nil
		}
	}
	return inUse[len(inUse)-1].start, nil // the first batch of all is torn
}

func zero(b []byte) bool {
	return bytes.Count(b, []byte{0}) == len(b)
}
