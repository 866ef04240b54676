package local

import (
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ballast is a file that occupies disk for nothing, to be thrown off when something else has filled the disk: pops
// and acks go on in the room that it leaves. The store itself could not go on, for it must be able to write.
type ballast struct {
	fs   vfs.FS
	path string
	size int64
	held bool
}

const (
	ballastName = "ballast"
	ballastSize = 64 << 20
)

// newBallast frees what an earlier run may have left, so that the store has room to open.
func newBallast(dir string, fs vfs.FS) *ballast {
	b := &ballast{fs: fs, path: fs.PathJoin(dir, ballastName)}
	if usage, err := fs.GetDiskUsage(dir); err == nil {
		b.size = min(ballastSize, int64(usage.TotalBytes/16))
	}
	b.fs.Remove(b.path) //nolint:errcheck // most often there is none
	return b
}

// trim throws the ballast off when little more than nothing is free, and takes it aboard again when there is plenty.
func (b *ballast) trim(avail, reserve int64) error {
	switch {
	case b.held && avail < b.size/2:
		b.held = false
		return b.fs.Remove(b.path)
	case !b.held && b.size > 0 && avail > 2*(reserve+b.size):
		return b.take()
	}
	return nil
}

func (b *ballast) take() error {
	f, err := b.fs.Create(b.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer f.Close()
	b.held = true
	return f.Preallocate(0, b.size)
}
