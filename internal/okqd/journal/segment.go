package journal

import (
	"cmp"
	"slices"
)

// segment is a file of the directory.
type segment struct {
	name  string
	file  File
	size  int64
	start Position // of its first byte, for good once readers have the segment; of a spare one it means nothing
	kept  int      // records that the caller wants to keep
}

// offset is where in the file a position is.
func (s *segment) offset(at Position) int64 { return int64(at - s.start) }

// fits tells whether the segment has room for n bytes at that position.
func (s *segment) fits(at Position, n int) bool { return s.offset(at)+int64(n) <= s.size }

// find returns the index of the segment that holds the position, -1 if it is in none any more.
func find(segments []*segment, at Position) int {
	i, ok := slices.BinarySearchFunc(segments, at, func(s *segment, at Position) int { return cmp.Compare(s.start, at) })
	if ok {
		return i
	}
	return i - 1
}

// window reads a file's parts, some of what follows each ahead.
type window struct {
	file File
	size int64
	buf  []byte
	off  int64 // of buf
}

const readAhead = 512 << 10

// bytes returns n bytes at off, fewer only at the end of the file. They are valid until the next call.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), w.size-off))
	if off < w.off || off+int64(n) > w.off+int64(len(w.buf)) {
		want := int(min(int64(max(n, readAhead)), w.size-off))
		w.buf = slices.Grow(w.buf[:0], want)[:want]
		w.off = off
		if _, err := w.file.ReadAt(w.buf, off); err != nil {
			w.buf = w.buf[:0]
			return nil, err
		}
	}
	return w.buf[off-w.off:][:n:n], nil
}

// frame reads the frame at a position of the segment. whole: it is there, with its payload. The header is right if it
// has a length or whole is true.
func (w *window) frame(s *segment, at Position, key secret) (h header, payload []byte, whole bool, err error) {
	off := s.offset(at)
	if off+headerSize > w.size {
		return header{}, nil, false, nil
	}
	head, err := w.bytes(off, headerSize)
	if err != nil {
		return header{}, nil, false, err
	}
	h, ok := parseHeader(head, key)
	if !ok || h.at != at {
		return header{}, nil, false, nil
	}
	payload, err = w.bytes(off+headerSize, int(h.length))
	if err != nil {
		return header{}, nil, false, err
	}
	return h, payload, len(payload) == int(h.length) && key.sum(payload) == h.sum, nil
}
