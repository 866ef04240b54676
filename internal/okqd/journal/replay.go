package journal

import (
	"fmt"
)

// replay hands over all records, and finds where the log ends.
func (j *Journal) replay(opts Options, record func(Position, []byte) error) error {
	for i, s := range j.segments {
		at, err := j.replaySegment(s, record)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		j.end = at
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
		// After a kill what was read may be in the system's memory only, and what comes next may go into another file.
		if err := s.file.Sync(); err != nil {
			return fmt.Errorf("sync %s: %w", s.name, err)
		}
	}
	return nil
}

// replaySegment returns where the frames that are right end.
func (j *Journal) replaySegment(s *segment, record func(Position, []byte) error) (Position, error) {
	w := window{file: s.file, size: s.size}
	at := s.start
	for {
		h, payload, whole, err := w.frame(s, at, j.key)
		if err != nil || !whole {
			return at, err
		}
		if len(payload) > 0 {
			if err := record(at+headerSize, payload); err != nil {
				return at, fmt.Errorf("position %d: %w", at, err)
			}
		}
		at += Position(h.size())
	}
}
