package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// ReadOnly is the machine's file system, on which nothing changes: it takes what is to be written and forgets it. A
// directory can be opened on it to see whether it is whole. It is locked against okqd meanwhile.
type ReadOnly struct{ OS }

// MkdirAll implements FS.
func (ReadOnly) MkdirAll(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("not a directory")
	}
	return err
}

// Lock implements FS. Without the file no okqd has ever had the directory open.
func (ReadOnly) Lock(path string) (io.Closer, error) {
	lock, err := lockExisting(path)
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(nil), nil
	}
	return lock, err
}

// Open implements FS.
func (ReadOnly) Open(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return unwritten{osFile{f}}, nil
}

// Create implements FS, with a file that is nowhere.
func (ReadOnly) Create(_ string, size int64) (File, error) { return nowhere(size), nil }

// Remove implements FS.
func (ReadOnly) Remove(string) error { return nil }

// SyncDir implements FS.
func (ReadOnly) SyncDir(string) error { return nil }

type unwritten struct{ osFile }

func (unwritten) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }

func (unwritten) Sync() error { return nil }

// nowhere is a file of zeros of some size.
type nowhere int64

func (n nowhere) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > int64(n) {
		return 0, io.EOF
	}
	clear(b)
	return len(b), nil
}

func (nowhere) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }

func (nowhere) Close() error { return nil }

func (n nowhere) Size() (int64, error) { return int64(n), nil }

func (nowhere) Sync() error { return nil }

func (nowhere) Uncache() {}
