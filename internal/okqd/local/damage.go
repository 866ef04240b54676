package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/rs/zerolog"
)

// errDamaged is bytes on disk that are not what was written.
var errDamaged = errors.New("damaged")

// checkFiles looks at the ends of the two files where the store would take damage for the end: its manifest, and the
// newest of its logs. In all others it finds damage itself.
//
// What a kill or a power cut leaves behind is not damage: a log that ends in the middle of a chunk, or with sectors
// that were never written. Nothing of that was acknowledged, so it is dropped, with a warning.
func checkFiles(dir string, fs vfs.FS, log zerolog.Logger) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	manifest, newest, number := "", "", uint64(0)
	for _, name := range names {
		if marked, ok := strings.CutPrefix(name, "marker.manifest."); ok {
			_, manifest, _ = strings.Cut(marked, ".")
		}
		if base, ok := strings.CutSuffix(name, ".log"); ok {
			if n, err := strconv.ParseUint(base, 10, 64); err == nil && n >= number {
				newest, number = name, n
			}
		}
	}
	var errs []error
	for name, number := range map[string]uint32{manifest: 0, newest: uint32(number)} {
		if name != "" {
			errs = append(errs, checkFile(filepath.Join(dir, name), number, fs, log))
		}
	}
	return errors.Join(errs...)
}

func checkFile(path string, number uint32, fs vfs.FS, log zerolog.Logger) error {
	f, err := fs.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	file, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	torn, err := checkLog(file, number)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if torn > 0 {
		log.Warn().Str("path", path).Int("bytes", torn).
			Msg("log ends in the middle of a write that was not acknowledged; dropped")
	}
	return nil
}

// checkLog returns how many bytes at the end are a write that did not come to its end. number is the log's, 0 for a
// manifest, whose chunks have none.
func checkLog(file []byte, number uint32) (torn int, err error) {
	stop := 0
	for c := range chunks(file, &stop) {
		if c.logNumber != number {
			return 0, fmt.Errorf("%w at offset %d: a chunk of log %d", errDamaged, stop, c.logNumber)
		}
	}
	rest := file[stop:]
	switch {
	case zero(rest) || isTrailer(rest, number):
		return 0, nil
	case provenLater(file, stop, number):
		return 0, fmt.Errorf("%w at offset %d: what follows was written after it", errDamaged, stop)
	case flipped(file, stop):
		return 0, fmt.Errorf("%w at offset %d: one bit is wrong", errDamaged, stop)
	case isTorn(rest, stop, number):
		return len(rest), nil
	}
	return 0, fmt.Errorf("%w at offset %d", errDamaged, stop)
}

// isTrailer is what the store writes at the end of a log that it closes.
func isTrailer(rest []byte, number uint32) bool {
	return len(rest) >= recycledSize && zero(rest[:6]) && rest[6] == 5 &&
		binary.LittleEndian.Uint32(rest[7:]) == number+1 && zero(rest[recycledSize:])
}

// provenLater tells whether there is a chunk behind stop that was written when what is at stop had been synced. In a
// manifest each write is synced before the next.
func provenLater(file []byte, stop int, number uint32) bool {
	for offset := stop + 1; offset+headerSize <= len(file); offset++ {
		if !claims(file[offset:], number) {
			continue
		}
		if c, ok := parseChunk(file, offset); ok && (number == 0 || c.synced > uint64(stop)) {
			return true
		}
	}
	return false
}

// claims tells whether b begins as a chunk of the log does.
func claims(b []byte, number uint32) bool {
	if number == 0 {
		return len(b) >= headerSize && chunkSize(b[6]) == headerSize
	}
	return len(b) >= syncedSize && chunkSize(b[6]) == syncedSize && binary.LittleEndian.Uint32(b[7:]) == number
}

// flipped tells whether the chunk at stop would be right with one bit turned over.
func flipped(file []byte, stop int) bool {
	block := append([]byte(nil), file[stop:min(len(file), stop-stop%blockSize+blockSize)]...)
	if len(block) < headerSize {
		return false
	}
	size := max(syncedSize, chunkSize(block[6])+int(binary.LittleEndian.Uint16(block[4:])))
	for i := range min(size, len(block)) {
		for bit := range 8 {
			block[i] ^= 1 << bit
			if _, ok := parseChunk(block, 0); ok {
				return true
			}
			block[i] ^= 1 << bit
		}
	}
	return false
}

// isTorn tells whether rest can be a chunk of which not all came to the disk: it ends too early, or has a sector, the
// least that a disk writes at once, of zeros.
func isTorn(rest []byte, offset int, number uint32) bool {
	const sector = 512
	first := min(len(rest), sector-offset%sector)
	if !claims(rest, number) {
		if first < syncedSize && zero(rest[first:min(len(rest), first+sector)]) {
			return true // the header goes on there
		}
		return len(rest) < syncedSize || zero(rest[:first])
	}
	end := chunkSize(rest[6]) + int(binary.LittleEndian.Uint16(rest[4:]))
	if end > len(rest) {
		return end <= blockSize-offset%blockSize // no chunk goes beyond its block
	}
	for begin := first; begin < end; begin += sector {
		if zero(rest[begin:min(end, begin+sector)]) {
			return true
		}
	}
	return false
}
