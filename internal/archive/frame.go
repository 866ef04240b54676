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
	skippable  = 0x184D2A5B // with the kind added, one of the 16 magic numbers that RFC 8878 leaves to applications
	metaSize   = 8 + 4 + 4
	headerSize = 4 + 4 + metaSize

	maxBody  = 64 << 20 // of a POST, uncompressed; pm-hooks takes much less
	maxFrame = maxBody + 1<<20
)

// The kinds of POSTs. Versions before them wrote kindUnsigned for all.
const (
	kindUnsigned = iota
	kindSigned
	kindOneClick
	kinds
)

func (p Post) kind() uint32 {
	switch {
	case p.OneClick:
		return kindOneClick
	case p.Signed:
		return kindSigned
	}
	return kindUnsigned
}

// appendFrame appends a POST to dst.
func appendFrame(dst []byte, enc *zstd.Encoder, p Post) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, skippable+p.kind())
	dst = binary.LittleEndian.AppendUint32(dst, metaSize)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(p.At.UnixNano()))
	dst = enc.EncodeAll(p.Body, append(dst, 0, 0, 0, 0, 0, 0, 0, 0))
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
func readFrame(r io.Reader, dec *zstd.Decoder) (p Post, err error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return p, torn(err)
	}
	length := binary.LittleEndian.Uint32(header[16:])
	kind := binary.LittleEndian.Uint32(header[:]) - skippable
	if kind >= kinds || binary.LittleEndian.Uint32(header[4:]) != metaSize ||
		binary.LittleEndian.Uint32(header[20:]) != headerSum(header[:]) || length > maxFrame {
		return p, errors.New("not a POST's frame")
	}
	frame := make([]byte, length)
	if _, err := io.ReadFull(r, frame); err != nil {
		return p, torn(errors.Join(io.ErrUnexpectedEOF, err))
	}
	p.Body, err = dec.DecodeAll(frame, nil)
	if err != nil {
		return p, fmt.Errorf("decompress: %w", err)
	}
	p.At, p.Signed, p.OneClick = time.Unix(0, int64(binary.LittleEndian.Uint64(header[8:]))), kind == kindSigned, kind == kindOneClick
	return p, nil
}

func torn(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}
