package journal

import (
	"fmt"
)

// replay hands over all records, finds where the log ends, and makes sure of what is not known to be on the disk.
func (j *Journal) replay(opts Options, record func(Position, []byte) error) error {
	synced := Position(0)
	for i, s := range j.segments {
		at, proven, err := j.replaySegment(s, record)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		j.end, synced = at, max(synced, proven)
		if i < len(j.segments)-1 {
			if next := j.segments[i+1].start; at != next {
				return s.damaged(at, "the log goes on in another file")
			}
			continue
		}
		torn, err := j.tail(s, at)
		if err != nil {
			return err
		}
		if torn > 0 {
			opts.Log.Warn().Str("path", opts.Dir+"/"+s.name).Int("bytes", torn).
				Msg("log ends in the middle of a write that was not acknowledged; dropped")
		}
	}
	return j.rewrite(synced)
}

// replaySegment returns where the frames that are right end, and up to where the log had been synced when the last of
// them was written.
func (j *Journal) replaySegment(s *segment, record func(Position, []byte) error) (end, synced Position, err error) {
	w := window{file: s.file, size: s.size}
	at := s.start
	for {
		h, payload, whole, err := w.frame(s, at, j.key)
		synced = max(synced, h.synced())
		if err != nil || !whole {
			return at, synced, err
		}
		if len(payload) > 0 {
			if err := record(at+headerSize, payload); err != nil {
				return at, synced, fmt.Errorf("position %d: %w", at, err)
			}
		}
		at += Position(h.size())
	}
}

// rewrite writes once more what the log has beyond the position up to which it is known to be synced, with zeros behind
// its end, and syncs that. To sync alone is not enough: after a kill what was read may be in the system's memory only, and
// if an earlier sync failed the system does not write it again either (Linux drops what it could not write, yet goes on to
// give it to readers). Behind the end there may be parts of a batch that did not come to its end: the log goes on over
// them, and what is left of them must never be taken for what was written there later.
func (j *Journal) rewrite(synced Position) error {
	for i, s := range j.segments {
		end, size := s.offset(j.end), s.size
		if i+1 < len(j.segments) {
			end = s.offset(j.segments[i+1].start)
			size = end
		}
		begin := s.offset(max(synced, s.start))
		if begin >= size {
			continue
		}
		if err := s.rewrite(begin, end, size); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// rewrite writes what a segment has from begin to end, and zeros from there to size, and syncs it.
func (s *segment) rewrite(begin, end, size int64) error {
	b := make([]byte, min(readAhead, size-begin))
	for off := begin; off < size; off += int64(len(b)) {
		b = b[:min(int64(len(b)), size-off)]
		if _, err := s.file.ReadAt(b, off); err != nil {
			return err
		}
		clear(b[min(int64(len(b)), max(0, end-off)):])
		if _, err := s.file.WriteAt(b, off); err != nil {
			return err
		}
	}
	return s.file.Sync()
}
