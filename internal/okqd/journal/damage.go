package journal

import (
	"errors"
	"fmt"
	"slices"
)

// ErrDamaged is bytes on disk that are not what was written.
var ErrDamaged = errors.New("damaged")

func (s *segment) damaged(at Position, how string) error {
	return fmt.Errorf("%s: %w at offset %d: %s", s.name, ErrDamaged, s.offset(at), how)
}

// tail looks at what follows the last right frame of the newest segment. What a kill or a power cut leaves of a write is
// not damage: nothing of it was acknowledged. torn is how many bytes of it there are, as far as that can be told.
func (j *Journal) tail(s *segment, at Position) (torn int, err error) {
	file := make([]byte, s.size-s.offset(at))
	if len(file) == 0 {
		return 0, nil
	}
	if _, err := s.file.ReadAt(file, s.offset(at)); err != nil {
		return 0, fmt.Errorf("%s: %w", s.name, err)
	}
	h, ok := parseHeader(file, j.key)
	ok = ok && h.at == at
	switch {
	case j.provenLater(file, at):
		return 0, s.damaged(at, "what follows was written after it")
	case !ok && j.flippedHeader(file, at):
		return 0, s.damaged(at, "one bit is wrong")
	case !ok: // stale, or never written
		return 0, j.scrub(s, file, at)
	case h.size() > len(file):
		return 0, s.damaged(at, "it ends beyond the file")
	case flippedPayload(file[headerSize:headerSize+int(h.length)], j.key, h.sum):
		return 0, s.damaged(at, "one bit is wrong")
	}
	return h.size(), j.scrub(s, file, at)
}

// provenLater tells whether a frame behind the beginning of file was written when what is there had been synced.
func (j *Journal) provenLater(file []byte, at Position) bool {
	for offset := headerSize; offset+headerSize <= len(file); offset += headerSize {
		h, ok := parseHeader(file[offset:], j.key)
		if ok && h.at == at+Position(offset) && h.synced() > at {
			return true
		}
	}
	return false
}

// flippedHeader tells whether a header would be right with one bit turned over.
func (j *Journal) flippedHeader(file []byte, at Position) bool {
	if len(file) < headerSize {
		return false
	}
	head := slices.Clone(file[:headerSize])
	for bit := range 8 * headerSize {
		head[bit/8] ^= 1 << (bit % 8)
		if h, ok := parseHeader(head, j.key); ok && h.at == at {
			return true
		}
		head[bit/8] ^= 1 << (bit % 8)
	}
	return false
}

// flippedPayload tells whether the sum would be right with one bit turned over. A checksum is linear: what a bit does to
// it depends on how far from the end it is, and on nothing else.
func flippedPayload(payload []byte, key secret, want uint32) bool {
	diff := key.sum(payload) ^ want
	var effects [8]uint32
	for bit := range effects {
		effects[bit] = castagnoli[1<<bit]
	}
	for range payload {
		for bit, v := range effects {
			if v == diff {
				return true
			}
			effects[bit] = castagnoli[byte(v)] ^ v>>8
		}
	}
	return false
}

// scrub takes away what looks like frames behind the end of the log: parts of a batch that did not come to its end. The log
// goes on there, and could come to end where one of them begins.
func (j *Journal) scrub(s *segment, file []byte, at Position) error {
	found := false
	for offset := headerSize; offset+headerSize <= len(file); offset += headerSize {
		place := at + Position(offset)
		if h, ok := parseHeader(file[offset:], j.key); !ok || h.at != place {
			continue
		}
		found = true
		if _, err := s.file.WriteAt(make([]byte, headerSize), s.offset(place)); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if !found {
		return nil
	}
	return s.file.Sync()
}
