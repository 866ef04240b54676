package journal

import (
	"encoding/binary"
	"hash/crc32"
)

// Position is a place in the log: bytes since its beginning.
type Position uint64

const (
	// headerSize is also what frames are aligned to, so no header lies across two sectors of a disk.
	headerSize = 64
	// sector is what a disk writes as a whole or not at all, at least.
	sector = 512
	// frameSize is how large a frame with more than one record may get.
	frameSize = 64 << 10
)

// header is what a frame begins with.
type header struct {
	sum    uint32 // of the payload
	sample uint32 // see sample
	length uint32 // of the payload
	behind uint32 // how much before the frame was not known to be synced
	at     Position
	oldest Position
}

func align(n int) int { return (n + headerSize - 1) &^ (headerSize - 1) }

// size is what the frame takes in a segment.
func (h header) size() int { return align(headerSize + int(h.length)) }

// synced is up to where the log was known to be synced when the frame was written.
func (h header) synced() Position { return h.at - Position(h.behind) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// secret is what all checksums of a directory begin with.
type secret uint32

func (s secret) sum(b []byte) uint32 { return crc32.Update(uint32(s), castagnoli, b) }

// sample is the checksum of the first bytes of each sector that begins in a payload, which stands at that offset of its file.
// It tells a sector that was never written from one in which a bit is wrong, at next to no cost.
func (s secret) sample(payload []byte, offset int64) uint32 {
	sum := uint32(s)
	for i := int(-offset & (sector - 1)); i < len(payload); i += sector {
		sum = crc32.Update(sum, castagnoli, payload[i:min(i+8, len(payload))])
	}
	return sum
}

// put writes the header at the begin of b, which goes to that offset of its file and has the payload already.
func (h header) put(b []byte, offset int64, s secret) {
	payload := b[headerSize : headerSize+int(h.length)]
	h.sum, h.sample = s.sum(payload), s.sample(payload, offset+headerSize)
	binary.LittleEndian.PutUint32(b[4:], h.sum)
	binary.LittleEndian.PutUint32(b[8:], h.length)
	binary.LittleEndian.PutUint32(b[12:], h.behind)
	binary.LittleEndian.PutUint64(b[16:], uint64(h.at))
	binary.LittleEndian.PutUint64(b[24:], uint64(h.oldest))
	binary.LittleEndian.PutUint32(b[32:], h.sample)
	clear(b[36:headerSize])
	binary.LittleEndian.PutUint32(b, s.sum(b[4:headerSize]))
}

// parseHeader reads a header. False: there is none.
func parseHeader(b []byte, s secret) (h header, ok bool) {
	if len(b) < headerSize || binary.LittleEndian.Uint32(b) != s.sum(b[4:headerSize]) {
		return h, false
	}
	h = header{
		sum:    binary.LittleEndian.Uint32(b[4:]),
		length: binary.LittleEndian.Uint32(b[8:]),
		behind: binary.LittleEndian.Uint32(b[12:]),
		at:     Position(binary.LittleEndian.Uint64(b[16:])),
		oldest: Position(binary.LittleEndian.Uint64(b[24:])),
		sample: binary.LittleEndian.Uint32(b[32:]),
	}
	return h, Position(h.behind) <= h.at && h.oldest <= h.at
}
