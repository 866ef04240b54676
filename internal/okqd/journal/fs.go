package journal

import "io"

// FS is what a journal asks of a file system; OS is the machine's.
type FS interface {
	// MkdirAll makes a directory and those that it is in, durably.
	MkdirAll(dir string) error
	// Lock makes the file at path, and fails with ErrLocked when another has it locked.
	Lock(path string) (io.Closer, error)
	List(dir string) (names []string, err error)
	// Open opens a file to read and write it.
	Open(path string) (File, error)
	// Create makes a new file with zeros, with room on the disk for them. It is durable, its name too.
	Create(path string, size int64) (File, error)
	// Remove need not be durable before SyncDir.
	Remove(path string) error
	// SyncDir makes durable which names a directory has.
	SyncDir(dir string) error
	// Usage returns how many bytes the disk has, and how many of them we may still use.
	Usage(dir string) (available, total int64, err error)
}

// File is an open file. Reads and writes of several goroutines may go on at a time.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	// Sync returns once what was written survives a power cut. After an error nothing is known of what was written since
	// the last Sync, and another Sync tells nothing more: it must be written again.
	Sync() error
	// Uncache says that what was synced will hardly be read soon, and need not stay in memory.
	Uncache()
}
