package journal

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// allocate takes the room, so that no write into the file finds the disk full.
func allocate(f *os.File, size int64) error {
	if size == 0 {
		return nil
	}
	err := interruptible(func() error { return syscall.Fallocate(int(f.Fd()), 0, 0, size) })
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return zeros(f, size)
	}
	return os.NewSyscallError("fallocate", err)
}

func datasync(f *os.File) error {
	err := interruptible(func() error { return syscall.Fdatasync(int(f.Fd())) })
	return os.NewSyscallError("fdatasync", err)
}

func uncache(f *os.File) {
	unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) //nolint:errcheck // it is advice
}

// interruptible does it again when a signal came between.
func interruptible(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func usage(dir string) (available, total int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, os.NewSyscallError("statfs", err)
	}
	size := int64(s.Bsize) //nolint:unconvert // it has 32 bits on some machines
	return int64(s.Bavail) * size, int64(s.Blocks) * size, nil
}
