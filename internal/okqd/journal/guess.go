package journal

import "encoding/binary"

// guessSecret finds the secret of a directory whose file with it is lost. A header's checksum is of 60 known bytes, and
// begins with the secret; a checksum can be run backwards. What most first headers agree on is taken.
func (in *Inspection) guessSecret() secret {
	votes := make(map[secret]int)
	var best secret
	head := make([]byte, headerSize)
	for _, s := range in.files {
		if _, err := s.file.ReadAt(head, 0); err != nil || zero(head) {
			continue
		}
		key := unsum(head)
		votes[key]++
		if votes[key] > votes[best] {
			best = key
		}
	}
	return best
}

// unsum is the secret with which a header's checksum is right.
func unsum(head []byte) secret {
	var byTop [256]byte // which entry of the table has that top byte
	for i, v := range castagnoli {
		byTop[v>>24] = byte(i)
	}
	crc := ^binary.LittleEndian.Uint32(head)
	for i := headerSize - 1; i >= 4; i-- {
		entry := byTop[crc>>24]
		crc = (crc^castagnoli[entry])<<8 | uint32(entry^head[i])
	}
	return secret(^crc)
}
