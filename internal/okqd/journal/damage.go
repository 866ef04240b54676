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
	switch untouched, err := s.untouched(at); {
	case err != nil:
		return 0, fmt.Errorf("%s: %w", s.name, err)
	case untouched: // as is usual
		return 0, nil
	}
	file := make([]byte, s.size-s.offset(at))
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
		return 0, nil
	case h.size() > len(file):
		return 0, s.damaged(at, "it ends beyond the file")
	case h.flippedPayload(file[:headerSize+int(h.length)], s.offset(at), j.key):
		return 0, s.damaged(at, "one bit is wrong")
	}
	return h.size(), nil
}

// untouched tells whether nothing was ever written from a position on. It takes little memory.
func (s *segment) untouched(at Position) (bool, error) {
	w := window{file: s.file, size: s.size}
	for off := s.offset(at); off < s.size; off += readAhead {
		part, err := w.bytes(off, readAhead)
		if err != nil || !zero(part) {
			return false, err
		}
	}
	return true, nil
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

// flippedPayload tells whether the sums would be right with one bit turned over, other than the only one of a sector: that
// one was never written, for what a write may not have reached was wiped before, see rewrite. A checksum is linear: what a bit does to
// it depends on how far from the end it is, and on nothing else. A frame of 64 KiB that was torn fits one of its bits 1 time
// in 8,000; then the sample, which lacks the sectors that were not written, does not.
func (h header) flippedPayload(frame []byte, offset int64, key secret) bool {
	payload := frame[headerSize:]
	diff := key.sum(payload) ^ h.sum
	var effects [8]uint32
	for bit := range effects {
		effects[bit] = castagnoli[1<<bit]
	}
	for i := len(payload) - 1; i >= 0; i-- {
		for bit, v := range effects {
			if v == diff {
				return !zero(sectorOf(frame, offset, headerSize+i)) && h.sampleFits(payload, i, 1<<bit, offset+headerSize, key)
			}
			effects[bit] = castagnoli[byte(v)] ^ v>>8
		}
	}
	return false
}

// sampleFits tells whether the sample is right when bits of byte i are turned over.
func (h header) sampleFits(payload []byte, i int, bits byte, offset int64, key secret) bool {
	payload[i] ^= bits
	defer func() { payload[i] ^= bits }()
	return key.sample(payload, offset) == h.sample
}

// sectorOf is the part of a frame, which stands at that offset of a file, that a disk writes at once with its byte i.
func sectorOf(frame []byte, offset int64, i int) []byte {
	begin := int((offset+int64(i))/sector*sector - offset)
	return frame[max(begin, 0):min(begin+sector, len(frame))]
}
