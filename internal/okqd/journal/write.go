package journal

import (
	"fmt"
	"sync"
)

// warmSegments is how many of the newest segments stay in the system's cache. Without a limit each write would take new
// memory for it, which costs more than the write itself and drives out what others read. Who is further behind than that
// reads from the disk.
const warmSegments = 16

// Lacks returns the size of a segment that Place would have to wait for the disk for, and how many that lie ready it would
// take before; 0: it would not wait. The caller's lock must be held.
func (j *Journal) Lacks() (size int64, taken int) {
	s, end := j.segments[len(j.segments)-1], j.end
	if s.fits(end, j.filling.Len()+headerSize*(len(j.filling.frames)+1)) {
		return 0, 0
	}
	for i := range max(1, len(j.filling.frames)) {
		size := headerSize // of a seal
		if len(j.filling.frames) > 0 {
			size = align(j.filling.frames[i].end - j.filling.frames[i].begin)
		}
		if !s.fits(end, size) {
			if taken == len(j.ready) || j.ready[taken].size < int64(size) {
				return max(int64(size), j.pool.size), taken
			}
			s = &segment{size: j.ready[taken].size, start: end}
			taken++
		}
		end += Position(size)
	}
	return 0, 0
}

// Prepare gets the segment ready that Lacks told of. The caller's lock must be held, and is not while the disk works.
// Nothing else may call Place meanwhile.
func (j *Journal) Prepare(size int64, taken int, lock sync.Locker) error {
	lock.Unlock()
	s, err := j.pool.take(size)
	lock.Lock()
	if err != nil {
		return fmt.Errorf("new segment: %w", err)
	}
	j.pool.put(j.ready[taken:]) // too small for what comes
	j.ready = append(j.ready[:taken:taken], s)
	return nil
}

// Place says where in the log the filling batch goes, and begins the next one. The caller's lock must be held, and
// Write must follow, in the same order, one at a time.
//
// A batch without records is a seal: it proves, as each batch does, that what came before it had been synced.
func (j *Journal) Place() (*Batch, error) {
	b := j.filling
	j.sealed = b.records == 0
	if j.sealed {
		b.open()
	}
	b.pad()
	for i := range b.frames {
		if err := j.place(b, &b.frames[i]); err != nil {
			return nil, err
		}
	}
	b.oldest, b.retired = j.oldest, j.retired
	j.retire()
	next := j.spare
	j.spare = nil
	if next == nil {
		next = new(Batch)
	}
	next.base = j.end
	j.filling = next
	return b, nil
}

func (j *Journal) place(b *Batch, f *frame) error {
	size := align(f.end - f.begin)
	s := j.segments[len(j.segments)-1]
	if !s.fits(j.end, size) {
		if len(j.ready) > 0 && j.ready[0].size >= int64(size) {
			s, j.ready = j.ready[0], j.ready[1:]
		} else {
			var err error
			if s, err = j.pool.take(int64(size)); err != nil {
				return fmt.Errorf("new segment: %w", err)
			}
		}
		s.start = j.end
		j.publish(append(j.segments[:len(j.segments):len(j.segments)], s))
		if i := len(j.segments) - 1 - warmSegments; i >= 0 {
			b.cold = append(b.cold, j.segments[i])
		}
	}
	f.segment = s
	s.kept += f.kept
	j.end += Position(size)
	return nil
}

// retire takes the oldest segments off the log while nothing in them is needed.
func (j *Journal) retire() {
	n := 0
	for n < len(j.segments)-1 && j.segments[n].kept == 0 {
		n++
	}
	j.retired = j.segments[:n:n]
	if n > 0 {
		j.publish(append([]*segment(nil), j.segments[n:]...))
	}
	j.oldest = j.segments[0].start
}

func (j *Journal) publish(segments []*segment) {
	j.segments = segments
	j.readers.Store(&segments)
}

// Write puts a batch on the disk. Once it returns without an error all of it will be there after a power cut.
func (j *Journal) Write(b *Batch) error {
	synced := b.base
	for i := 0; i < len(b.frames); {
		s, begin := b.frames[i].segment, b.frames[i].begin
		end := begin
		for ; i < len(b.frames) && b.frames[i].segment == s; i++ {
			f := b.frames[i]
			at := b.base + Position(f.begin)
			h := header{length: uint32(f.end - f.begin - headerSize), behind: uint32(at - synced), at: at, oldest: b.oldest}
			h.put(b.buf[f.begin:f.end], s.offset(at), j.key)
			end = f.begin + h.size()
		}
		// IMPORTANT: synced before the next segment is written to, so that no gap can come to be between the two.
		if _, err := s.file.WriteAt(b.buf[begin:end], s.offset(b.base+Position(begin))); err != nil {
			return fmt.Errorf("write %s: %w", s.name, err)
		}
		if err := s.file.Sync(); err != nil {
			return fmt.Errorf("sync %s: %w", s.name, err)
		}
		synced = b.base + Position(end)
	}
	for _, s := range b.cold {
		s.file.Uncache()
	}
	if len(b.retired) > 0 {
		j.pool.put(b.retired) // b itself has said that they are not needed
	}
	return nil
}

// Done takes a written batch back, to be filled again. The caller's lock must be held.
func (j *Journal) Done(b *Batch) {
	b.reuse()
	j.spare = b
}
