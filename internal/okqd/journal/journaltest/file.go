package journaltest

import (
	"io"
	"math/rand/v2"
	"slices"
)

// sector is the least that a disk writes at once.
const sector = 512

// file is a file, as it is and as a power cut leaves it at least. As on Linux, what a failed sync did not write is not
// written by the next one either, though reads go on to give it.
type file struct {
	fs     *FS
	path   string
	now    []byte
	synced []byte
	dirty  []extent
	cached int // bytes from the beginning that the system would have in memory, at most
}

type extent struct{ begin, end int }

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if off > int64(len(f.now)) {
		return 0, io.EOF
	}
	n := copy(b, f.now[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(b []byte, off int64) (int, error) {
	if fail, _ := f.fs.asked(); fail != nil {
		if err := fail(f.path); err != nil {
			return 0, err
		}
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	end := int(off) + len(b)
	if more := end - len(f.now); more > 0 {
		f.now = append(f.now, make([]byte, more)...)
	}
	copy(f.now[off:], b)
	f.dirty = append(f.dirty, extent{int(off), end})
	f.cached = max(f.cached, end)
	return len(b), nil
}

// Uncache lets go of what was synced, as Linux does.
func (f *file) Uncache() {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if len(f.dirty) == 0 {
		f.cached = 0
	}
}

func (f *file) Sync() error {
	f.fs.wait()
	var failed error
	if _, ask := f.fs.asked(); ask != nil {
		failed = ask()
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if failed != nil {
		f.synced = f.survivor(f.fs.chance)
		f.dirty = nil
		return failed
	}
	if len(f.synced) != len(f.now) {
		f.synced = slices.Clone(f.now)
	}
	for _, d := range f.dirty {
		copy(f.synced[d.begin:d.end], f.now[d.begin:])
	}
	f.dirty = nil
	return nil
}

func (f *file) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.now)), nil
}

func (f *file) Close() error { return nil }

// survivor is what is left of the file after a crash.
func (f *file) survivor(rng *rand.Rand) []byte {
	if rng == nil {
		return slices.Clone(f.now)
	}
	left := slices.Clone(f.synced)
	if len(f.dirty) == 0 {
		return left
	}
	left = append(left, make([]byte, len(f.now)-len(left))...)
	for _, d := range f.dirty {
		for begin := d.begin &^ (sector - 1); begin < d.end; begin += sector {
			if rng.IntN(2) == 0 {
				copy(left[begin:min(begin+sector, len(left))], f.now[begin:])
			}
		}
	}
	return left
}

// undone is what is yet to be written after a crash: all that was before, if only the process was killed.
func (f *file) undone(rng *rand.Rand) []extent {
	if rng == nil {
		return slices.Clone(f.dirty)
	}
	return nil
}
