package journal

import (
	"errors"
	"fmt"
)

// ErrGone is a position that the log does not reach back to any more.
var ErrGone = errors.New("not in the log any more")

// Read fills b with what was written at a position. It needs no lock. What was dropped meanwhile may have been
// overwritten, so whoever reads must know its records.
func (j *Journal) Read(at Position, b []byte) error {
	segments := *j.readers.Load()
	i := find(segments, at)
	if i < 0 {
		return ErrGone
	}
	for len(b) > 0 {
		n := len(b)
		if i+1 < len(segments) {
			n = int(min(Position(n), segments[i+1].start-at))
		}
		if _, err := segments[i].file.ReadAt(b[:n], segments[i].offset(at)); err != nil {
			return fmt.Errorf("%s: %w", segments[i].name, err)
		}
		b, at, i = b[n:], at+Position(n), i+1
	}
	return nil
}

// Walk goes through one segment.
type Walk struct {
	j   *Journal
	s   *segment
	at  Position
	end Position
	w   window
}

// WalkOldest begins with the oldest segment. Nil: it is the one that is written to. The caller's lock must be held.
func (j *Journal) WalkOldest() *Walk {
	if len(j.segments) < 2 {
		return nil
	}
	s := j.segments[0]
	return &Walk{j: j, s: s, at: s.start, end: j.segments[1].start, w: window{file: s.file, size: s.size}}
}

// Next returns the records of the next frame, valid until the next call, and where they are; nil at the end. It needs
// no lock, but the segment must not have been retired.
func (w *Walk) Next() (Position, []byte, error) {
	for w.at < w.end {
		h, payload, whole, err := w.w.frame(w.s, w.at, w.j.key)
		if err == nil && !whole {
			err = w.s.damaged(w.at, "changed since it was written")
		}
		if err != nil {
			return 0, nil, err
		}
		at := w.at + headerSize
		w.at += Position(h.size())
		if len(payload) > 0 {
			return at, payload, nil
		}
	}
	return 0, nil, nil
}

// Oldest tells whether the segment still is the oldest. The caller's lock must be held.
func (w *Walk) Oldest() bool { return w.j.segments[0] == w.s }
