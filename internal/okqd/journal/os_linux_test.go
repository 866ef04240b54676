package journal_test

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

func TestUncachedFilesTakeNoMemory(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	dir, err := os.MkdirTemp("/var/tmp", "journal-") // outlives a restart, so it is on a disk and not in memory (FHS 3.0, 5.15)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "file")
	f, err := journal.OS{}.Create(path, size)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, size), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if n := resident(t, path, size); n == 0 {
		t.Fatal("what was just written is not in memory, so this shows nothing")
	}
	f.Uncache()
	if n := resident(t, path, size); n > 0 {
		t.Errorf("%d pages in memory", n)
	}
}

// resident is how many pages of a file are in memory.
func resident(t *testing.T, path string, size int) (n int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b) //nolint:errcheck // the test ends
	pages := make([]byte, (size+os.Getpagesize()-1)/os.Getpagesize())
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(size), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
		t.Fatal(errno)
	}
	for _, page := range pages {
		n += int(page & 1)
	}
	return n
}
