package local

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/journal/journaltest"
)

// damagedBox has events in more than one segment, and was killed.
func damagedBox(t *testing.T) (left *journaltest.FS, want []string) {
	b := newBox(t)
	for i := range 300 {
		contents := strings.Repeat(fmt.Sprintf("%d.", i), 20)
		if i == 100 {
			contents = string(traffic[:50<<10])
		}
		b.push("q", fmt.Sprint(i), contents)
		want = append(want, fmt.Sprintf("%d=%s#1", i, contents))
		if i%60 == 0 {
			b.push("traffic", fmt.Sprint(i), string(traffic))
		}
	}
	left = b.fs.Crash(nil)
	b.stop()
	return left, want
}

// startOn starts a box on a disk and returns what is in the queue.
func startOn(t *testing.T, fs *journaltest.FS) ([]string, error) {
	b := &box{tb: t, fs: fs, now: time.Unix(1_700_000_000, 0)}
	if err := b.start(); err != nil {
		return nil, err
	}
	defer b.stop()
	return b.pop("q", 1000, time.Minute), nil
}

// Whatever bit of whatever file is turned over, either the engine does not start, or nothing is missing.
func TestFlippedBitIsNeverSilent(t *testing.T) {
	t.Parallel()
	disk, want := damagedBox(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	refused := make(map[string]int)
	for _, path := range disk.Paths() {
		content := disk.Content(path)
		used := len(strings.TrimRight(string(content), "\x00"))
		for range 80 {
			if used == 0 {
				break
			}
			at, bit := rng.IntN(used), rng.IntN(8)
			if rng.IntN(2) == 0 { // often the very end, where it is hardest to tell
				at = used - 1 - rng.IntN(min(used, 200))
			}
			left := disk.Crash(nil)
			left.Content(path)[at] ^= 1 << bit
			got, err := startOn(t, left)
			if err != nil {
				refused[path]++
			} else if !slices.Equal(got, want) {
				t.Errorf("%s, bit %d of byte %d of %d turned over: started with %d events, want %d",
					path, bit, at, used, len(got), len(want))
			}
		}
	}
	if len(refused) < 3 {
		t.Errorf("damage was seen in %v only", refused)
	}
}

// What was written later proves that what came before had been whole: then any damage is told from a write cut short.
func TestDamageBeforeTheLastWriteIsNeverSilent(t *testing.T) {
	t.Parallel()
	disk, want := damagedBox(t)
	rng := rand.New(rand.NewPCG(1, 2))
	used := func(content []byte) int { return len(bytes.TrimRight(content, "\x00")) }
	paths := slices.DeleteFunc(disk.Paths(), func(path string) bool { return used(disk.Content(path)) < 1000 })
	refused := 0
	for range 150 {
		left := disk.Crash(nil)
		content := left.Content(paths[rng.IntN(len(paths))])
		begin := rng.IntN(used(content) - 500)
		for i := range content[begin : begin+1+rng.IntN(64)] {
			content[begin+i] = byte(rng.Uint32())
		}
		got, err := startOn(t, left)
		switch {
		case err != nil:
			refused++
		case !slices.Equal(got, want):
			t.Errorf("started with %d events, want %d", len(got), len(want))
		}
	}
	if refused < 50 {
		t.Errorf("refused %d times only", refused)
	}
}

// A log that ends in the middle of a write is not damage: what it lacks was not acknowledged.
func TestTornTailStarts(t *testing.T) {
	t.Parallel()
	disk, want := damagedBox(t)
	newest, end := "", 0
	for _, path := range disk.Paths() {
		content := disk.Content(path)
		if i := strings.LastIndex(string(content), want[len(want)-1][len("299="):50]); i >= 0 {
			newest, end = path, len(strings.TrimRight(string(content), "\x00"))
		}
	}
	if newest == "" {
		t.Fatal("the last event is in no file")
	}
	for cut := 16; cut < 900; cut += 7 {
		left := disk.Crash(nil)
		clear(left.Content(newest)[end-cut:])
		got, err := startOn(t, left)
		if err != nil {
			t.Errorf("cut by %d bytes: %v", cut, err)
			continue
		}
		if len(got) < len(want)-15 || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("cut by %d bytes: %d events", cut, len(got))
		}
	}
}
