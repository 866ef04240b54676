package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	skippable  = 0x184D2A5B // one of the 16 magic numbers that RFC 8878 leaves to applications
	metaSize   = 8 + 4 + 4
	headerSize = 4 + 4 + metaSize

	maxBody  = 64 << 20 // of a POST, uncompressed; pm-hooks takes much less
	maxFrame = maxBody + 1<<20
)

// appendFrame appends a POST to dst.
func appendFrame(dst []byte, enc *zstd.Encoder, at time.Time, body []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, skippable)
	dst = binary.LittleEndian.AppendUint32(dst, metaSize)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(at.UnixNano()))
	dst = enc.EncodeAll(body, append(dst, 0, 0, 0, 0, 0, 0, 0, 0))
	header := dst[start : start+headerSize]
	binary.LittleEndian.PutUint32(header[16:], uint32(len(dst)-start-headerSize))
	binary.LittleEndian.PutUint32(header[20:], headerSum(header))
	return dst
}

// headerSum tells a length that is wrong from one that runs past the end of a torn file.
func headerSum(header []byte) uint32 {
	return crc32.Checksum(header[8:20], crc32.MakeTable(crc32.Castagnoli))
}

// errTorn is a frame that the end of the file cut off.
var errTorn = errors.New("half a POST at the end")

// readFrame returns the next POST; io.EOF where the file ends between two.
func readFrame(r io.Reader, dec *zstd.Decoder) (at time.Time, body []byte, err error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return at, nil, torn(err)
	}
	length := binary.LittleEndian.Uint32(header[16:])
	if binary.LittleEndian.Uint32(header[:]) != skippable || binary.LittleEndian.Uint32(header[4:]) != metaSize ||
		binary.LittleEndian.Uint32(header[20:]) != headerSum(header[:]) || length > maxFrame {
		return at, nil, errors.New("not a POST's frame")
	}
	frame := make([]byte, length)
	if _, err := io.ReadFull(r, frame); err != nil {
		return at, nil, torn(errors.Join(io.ErrUnexpectedEOF, err))
	}
	body, err = dec.DecodeAll(frame, nil)
	if err != nil {
		return at, nil, fmt.Errorf("decompress: %w", err)
	}
	return time.Unix(0, int64(binary.LittleEndian.Uint64(header[8:]))), body, nil
}

func torn(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}
