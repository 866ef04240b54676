package local

import (
	"encoding/binary"
	"hash/crc32"
	"iter"
)

// The store's logs (its write-ahead log and its manifest) are sequences of chunks in blocks of 32 KiB:
//
//	crc 4, length 2, type 1, [log number 4, [synced 8,]] payload
//
// The store itself takes the first bad chunk for the end of what was written, unless a later block proves otherwise;
// so one flipped bit could cost all that follows in its block. See damage.go for what is done about it.
const (
	blockSize    = 32 << 10
	headerSize   = 7  // crc, length, type
	recycledSize = 11 // with the log number
	syncedSize   = 19 // with the offset up to which the log was synced when the chunk was written
)

// chunk is one that is whole and right.
type chunk struct {
	offset, end int
	logNumber   uint32 // 0 if the format has none
	synced      uint64 // 0 likewise
}

// chunkSize is the size of the header of a chunk of that type, 0 for an unknown type.
func chunkSize(kind byte) int {
	switch {
	case kind >= 1 && kind <= 4:
		return headerSize
	case kind >= 5 && kind <= 8:
		return recycledSize
	case kind >= 9 && kind <= 12:
		return syncedSize
	}
	return 0
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the store's: CRC-32C, masked.
func checksum(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// parseChunk reads the chunk at offset, if there is a whole and right one.
func parseChunk(file []byte, offset int) (c chunk, ok bool) {
	block := file[offset:min(len(file), offset-offset%blockSize+blockSize)]
	if len(block) < headerSize {
		return c, false
	}
	header := chunkSize(block[6])
	end := header + int(binary.LittleEndian.Uint16(block[4:]))
	if header == 0 || end > len(block) || checksum(block[6:end]) != binary.LittleEndian.Uint32(block) {
		return c, false
	}
	c = chunk{offset: offset, end: offset + end}
	if header >= recycledSize {
		c.logNumber = binary.LittleEndian.Uint32(block[7:])
	}
	if header >= syncedSize {
		c.synced = binary.LittleEndian.Uint64(block[11:])
	}
	return c, true
}

// chunks goes through the chunks from the file's begin to the first that is not right. stop is where that would be.
func chunks(file []byte, stop *int) iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		for *stop = 0; *stop < len(file); {
			c, ok := parseChunk(file, *stop)
			if !ok {
				if rest := blockSize - *stop%blockSize; rest < syncedSize && zero(file[*stop:min(len(file), *stop+rest)]) {
					*stop += rest // too little for a chunk: filled with zeros
					continue
				}
				return
			}
			if !yield(c) {
				return
			}
			*stop = c.end
		}
		*stop = len(file)
	}
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
