package journal

import "os"

// zeros takes the room where the system has no better way.
func zeros(f *os.File, size int64) error {
	b := make([]byte, 1<<20)
	for off := int64(0); off < size; off += int64(len(b)) {
		if _, err := f.WriteAt(b[:min(int64(len(b)), size-off)], off); err != nil {
			return err
		}
	}
	return nil
}
