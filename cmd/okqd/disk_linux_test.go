package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/internal/okqd/ledger"
)

// On a disk of its own that something else fills to the last byte: pushes say so, pops and acks go on, and once there
// is room the same ids can be pushed.
func TestFullDiskRefusesPushesOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("needs to mount a small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	p := start(t, build(t), filepath.Join(dir, "data"), "--min-free", "8000000")
	c := ledger.Client(p.addr)
	defer c.Close()
	contents := strings.Repeat("x", 10_000)
	push := func(id string) error { return c.Do(t.Context(), "QLPUSH", "q", id, contents).Err() }
	for _, id := range []string{"a", "b", "c"} {
		if err := push(id); err != nil {
			t.Fatal(err)
		}
	}
	fill := filepath.Join(dir, "fill")
	fillDisk(t, fill)
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); { // until it has looked
		if err = push("late"); err != nil {
			break
		}
		c.Do(t.Context(), "QACK", "q", "late")
	}
	if err == nil || !strings.HasPrefix(err.Error(), "ERR disk full") {
		t.Errorf("push on a full disk: %v", err)
	}
	for range 20_000 / 50 {
		popAndRedo(t, c, 50)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	for range 100_000 {
		if err = push("late"); err == nil {
			break
		}
	}
	if err != nil {
		t.Errorf("push when there is room again: %v", err)
	}
}

// fillDisk writes until nothing more can be written.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		b := make([]byte, size)
		for {
			if _, err := f.Write(b); err != nil {
				break
			}
		}
	}
}

// popAndRedo pops an event and gives it back, n times.
func popAndRedo(t *testing.T, c *redis.Client, n int) {
	t.Helper()
	pipe := c.Pipeline()
	for range n {
		pipe.Do(t.Context(), "QRPOP", "q", "EX", "60")
		pipe.Do(t.Context(), "QACK", "q", "a", "REDO")
	}
	cmds, err := pipe.Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(cmds); i += 2 {
		if n, err := cmds[i].(*redis.Cmd).Int(); n != 1 || err != nil {
			t.Fatalf("ack on a full disk: %d, %v", n, err)
		}
	}
}
