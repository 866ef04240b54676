package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Part is a part of a directory: a segment as far as it is whole, or what is damaged or missing.
type Part struct {
	Name    string // of the file
	Offset  int64
	Size    int64
	Damaged string // how; empty: it is whole
}

// Inspection is what can be read of a directory, whole or not.
type Inspection struct {
	Parts []Part // in the order of the log

	key   secret
	lock  io.Closer
	files []*segment
}

// Inspect reads all of a log that can be read, and hands over the records of each whole frame, in the order in which they
// were written. Unlike Open it goes on behind what is damaged, so records may be missing. It changes nothing on an FS that
// nothing can be changed on. The caller must Close what it returns.
func Inspect(opts Options, record func(Position, []byte) error) (*Inspection, error) {
	if err := opts.FS.MkdirAll(opts.Dir); err != nil {
		return nil, err
	}
	lock, err := opts.FS.Lock(filepath.Join(opts.Dir, lockName))
	if err != nil {
		return nil, err
	}
	in := &Inspection{lock: lock}
	names, err := opts.FS.List(opts.Dir)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	if err := in.open(opts, names); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	in.key, err = readSecret(opts.FS, filepath.Join(opts.Dir, secretName))
	if errors.Is(err, errNewer) {
		return nil, errors.Join(err, in.Close())
	}
	if err != nil {
		in.Parts = append(in.Parts, Part{Name: secretName, Damaged: "missing, or not as it was written"})
		in.key = in.guessSecret()
	}
	logs := in.read()
	for i, l := range logs {
		l.handOver(record)
		in.Parts = append(in.Parts, l.parts...)
		if i+1 < len(logs) && l.end < logs[i+1].start {
			in.Parts = append(in.Parts, Part{Name: l.name, Offset: l.offset(l.end), Size: int64(logs[i+1].start - l.end), Damaged: "missing up to where " + logs[i+1].name + " goes on"})
		}
	}
	return in, nil
}

// Close closes the files.
func (in *Inspection) Close() error {
	var errs []error
	for _, s := range in.files {
		errs = append(errs, s.file.Close())
	}
	return errors.Join(append(errs, in.lock.Close())...)
}

// ReadAt fills b with what was handed over from a position.
func (in *Inspection) ReadAt(b []byte, at Position) error {
	i := find(in.files, at)
	if i < 0 {
		return ErrGone
	}
	_, err := in.files[i].file.ReadAt(b, in.files[i].offset(at))
	return err
}

func (in *Inspection) open(opts Options, names []string) error {
	for _, name := range names {
		if !strings.HasSuffix(name, segmentSuffix) {
			continue
		}
		f, err := opts.FS.Open(filepath.Join(opts.Dir, name))
		if err != nil {
			return err
		}
		s := &segment{name: name, file: f}
		in.files = append(in.files, s)
		if s.size, err = f.Size(); err != nil {
			return err
		}
	}
	return nil
}

// salvaged is a segment, and what is whole of it.
type salvaged struct {
	*segment
	frames []wholeFrame
	oldest Position // as the last of them has it
	end    Position // behind the last of them
	parts  []Part
}

// wholeFrame is where the payload of one is. It is read once more, so that memory need not hold a whole log.
type wholeFrame struct {
	at   Position
	size int
}

func (l *salvaged) handOver(record func(Position, []byte) error) {
	var b []byte
	for _, f := range l.frames {
		b = slices.Grow(b[:0], f.size)[:f.size]
		_, err := l.file.ReadAt(b, l.offset(f.at))
		if err == nil {
			err = record(f.at, b)
		}
		if err != nil {
			l.parts = append(l.parts, Part{Name: l.name, Offset: l.offset(f.at), Size: int64(f.size), Damaged: err.Error()})
		}
	}
}

// read reads the segments that the log is in, in its order. IMPORTANT: files then has them alone, for ReadAt.
func (in *Inspection) read() []*salvaged {
	var logs []*salvaged
	var oldest Position
	for _, s := range in.files {
		b, unreadable := readAll(s)
		start, used := in.start(b)
		if !used { // it lies ready, or nothing of it is right
			in.Parts = append(in.Parts, unreadable...)
			continue
		}
		s.start = start
		l := &salvaged{segment: s, end: start, parts: unreadable}
		in.frames(l, b)
		oldest = max(oldest, l.oldest)
		logs = append(logs, l)
	}
	slices.SortStableFunc(logs, func(a, b *salvaged) int { return cmp.Compare(a.start, b.start) })
	logs = slices.DeleteFunc(logs, func(l *salvaged) bool { return l.end < oldest || l.end == oldest && l.end > l.start })
	if len(logs) > 0 && logs[0].start > oldest {
		logs[0].parts = append([]Part{{Name: logs[0].name, Damaged: fmt.Sprintf("missing: %d bytes of the log before it", logs[0].start-oldest)}}, logs[0].parts...)
	}
	rest := in.files
	in.files = nil
	for _, l := range logs {
		in.files = append(in.files, l.segment)
	}
	for _, s := range rest {
		if !slices.Contains(in.files, s) {
			s.file.Close() //nolint:errcheck // nothing was written
		}
	}
	return logs
}

// readAll reads a file, with zeros for what the disk does not give.
func readAll(s *segment) (b []byte, unreadable []Part) {
	b = make([]byte, s.size)
	const step = 4 << 10
	if _, err := s.file.ReadAt(b, 0); err == nil || errors.Is(err, io.EOF) {
		return b, nil
	}
	for off := int64(0); off < s.size; off += step {
		part := b[off:min(off+step, s.size)]
		if _, err := s.file.ReadAt(part, off); err != nil && !errors.Is(err, io.EOF) {
			clear(part)
			unreadable = append(unreadable, Part{Name: s.name, Offset: off, Size: int64(len(part)), Damaged: err.Error()})
		}
	}
	return b, unreadable
}

// start is the position of the first byte of a segment. Frames of an earlier life of the file say a lower one.
func (in *Inspection) start(b []byte) (start Position, used bool) {
	for off := 0; off+headerSize <= len(b); off += headerSize {
		h, ok := parseHeader(b[off:], in.key)
		if !ok || h.at < Position(off) {
			continue
		}
		start, used = max(start, h.at-Position(off)), true
		if off == 0 {
			break // a life begins with the first byte
		}
	}
	return start, used
}

// frames finds the whole frames of a segment, and what is damaged between them.
func (in *Inspection) frames(l *salvaged, b []byte) {
	end := int64(0) // of the last whole frame
	for off := int64(0); off+headerSize <= l.size; {
		h, ok := parseHeader(b[off:], in.key)
		payload, whole := []byte(nil), ok && h.at == l.start+Position(off) && off+int64(h.size()) <= l.size
		if whole {
			payload = b[off+headerSize:][:h.length]
			whole = in.key.sum(payload) == h.sum
		}
		if !whole {
			off += headerSize
			continue
		}
		l.gap(end, off)
		l.oldest = max(l.oldest, h.oldest)
		if len(payload) > 0 {
			l.frames = append(l.frames, wholeFrame{h.at + headerSize, len(payload)})
		}
		off += int64(h.size())
		l.whole(end, off)
		end = off
	}
	l.end = l.start + Position(end)
}

// gap notes that what is between two whole frames is not.
func (l *salvaged) gap(begin, end int64) {
	if begin < end {
		l.parts = append(l.parts, Part{Name: l.name, Offset: begin, Size: end - begin, Damaged: "not as it was written"})
	}
}

// whole notes that a segment is whole up to end, from the last damage on.
func (l *salvaged) whole(begin, end int64) {
	if n := len(l.parts); n > 0 && l.parts[n-1].Damaged == "" && l.parts[n-1].Offset+l.parts[n-1].Size == begin {
		l.parts[n-1].Size = end - l.parts[n-1].Offset
		return
	}
	if n := len(l.parts); n > 0 && l.parts[n-1].Damaged != "" {
		begin = max(begin, l.parts[n-1].Offset+l.parts[n-1].Size)
	}
	l.parts = append(l.parts, Part{Name: l.name, Offset: begin, Size: end - begin})
}
