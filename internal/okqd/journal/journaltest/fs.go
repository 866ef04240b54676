// Package journaltest has a file system in memory that can lose power.
package journaltest

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

// FS is a journal.FS in memory.
type FS struct {
	mu    sync.Mutex // protects the fields below, and all files
	files map[string]*file
	avail int64
	total int64
	// fail is asked before each write, if it is set.
	fail func(path string) error
	// sync is asked before each sync, if it is set.
	sync func() error
	// chance says which sectors a failed sync wrote.
	chance *rand.Rand
	// removed has the files whose names are not surely gone.
	removed map[string]*file
	// syncTime is how long each sync takes.
	syncTime time.Duration
}

// New returns an empty file system.
func New() *FS {
	return &FS{
		files: make(map[string]*file), removed: make(map[string]*file), avail: 1 << 40, total: 16 << 20,
		chance: rand.New(rand.NewPCG(1, 2)),
	}
}

// SetUsage sets what Usage returns.
func (f *FS) SetUsage(available, total int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.avail, f.total = available, total
}

// FailWrites has each write ask for the error to return.
func (f *FS) FailWrites(fail func(path string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// BeforeSync has each sync ask for the error to return. One that fails has written some sectors, by chance.
func (f *FS) BeforeSync(ask func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sync = ask
}

// Seed says by what chance failed syncs write.
func (f *FS) Seed(seed uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chance = rand.New(rand.NewPCG(seed, 1))
}

// SlowSyncs makes each sync take that long. What is written meanwhile need not be synced by it.
func (f *FS) SlowSyncs(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.syncTime = d
}

// wait takes the time of a sync.
func (f *FS) wait() {
	f.mu.Lock()
	d := f.syncTime
	f.mu.Unlock()
	if d > 0 {
		time.Sleep(d)
	}
}

func (f *FS) asked() (fail func(path string) error, sync func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fail, f.sync
}

// Cached is how many bytes of its files a system would have in memory.
func (f *FS) Cached() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, file := range f.files {
		n += file.cached
	}
	return n
}

// MkdirAll implements journal.FS.
func (f *FS) MkdirAll(string) error { return nil }

// Lock implements journal.FS; it locks nothing.
func (f *FS) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// List implements journal.FS.
func (f *FS) List(dir string) (names []string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for path := range f.files {
		if filepath.Dir(path) == filepath.Clean(dir) {
			names = append(names, filepath.Base(path))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Open implements journal.FS.
func (f *FS) Open(path string) (journal.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files[path] == nil {
		return nil, fmt.Errorf("open %s: %w", path, fs.ErrNotExist)
	}
	return f.files[path], nil
}

// Create implements journal.FS.
func (f *FS) Create(path string, size int64) (journal.File, error) {
	f.wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files[path] != nil {
		return nil, fmt.Errorf("create %s: %w", path, fs.ErrExist)
	}
	if size > f.avail {
		return nil, fmt.Errorf("create %s: %w", path, syscall.ENOSPC)
	}
	f.files[path] = &file{fs: f, path: path, now: make([]byte, size), synced: make([]byte, size)}
	delete(f.removed, path)
	return f.files[path], nil
}

// Remove implements journal.FS.
func (f *FS) Remove(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files[path] == nil {
		return fmt.Errorf("remove %s: %w", path, fs.ErrNotExist)
	}
	f.removed[path] = f.files[path]
	delete(f.files, path)
	return nil
}

// SyncDir implements journal.FS.
func (f *FS) SyncDir(string) error {
	f.wait()
	if _, ask := f.asked(); ask != nil {
		if err := ask(); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.removed)
	return nil
}

// Usage implements journal.FS.
func (f *FS) Usage(string) (available, total int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.avail, f.total, nil
}

// Crash returns what a power cut at this moment would leave: each sector that was written and not synced is there
// or not, by chance, and so is each file that was removed. Without rng all is as it is, as after a kill.
func (f *FS) Crash(rng *rand.Rand) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := New()
	left.avail, left.total = f.avail, f.total
	for _, path := range slices.Sorted(maps.Keys(f.files)) {
		now := f.files[path].survivor(rng)
		synced := slices.Clone(now)
		if rng == nil {
			synced = slices.Clone(f.files[path].synced)
		}
		left.files[path] = &file{fs: left, path: path, now: now, synced: synced, dirty: f.files[path].undone(rng)}
	}
	if rng == nil {
		maps.Copy(left.removed, f.removed)
		return left
	}
	for _, path := range slices.Sorted(maps.Keys(f.removed)) {
		if rng.IntN(2) == 0 {
			now := f.removed[path].survivor(rng)
			left.files[path] = &file{fs: left, path: path, now: now, synced: slices.Clone(now)}
		}
	}
	return left
}

// Paths are the names of all files.
func (f *FS) Paths() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.files))
}

// Content is what a file holds, to be changed. Nothing may use the file system meanwhile.
func (f *FS) Content(path string) []byte { return f.files[path].now }

// Size is what all files take.
func (f *FS) Size() (size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, file := range f.files {
		size += int64(len(file.now))
	}
	return size
}
