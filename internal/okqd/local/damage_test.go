package local

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// damagedBox has events in tables and in the log, and was not shut down.
func damagedBox(t *testing.T) (b *box, want []string) {
	b = newBox(t)
	for i := range 300 {
		contents := strings.Repeat(fmt.Sprintf("%d.", i), 20)
		b.push("q", fmt.Sprint(i), contents)
		want = append(want, fmt.Sprintf("%d=%s#1", i, contents))
		if i == 200 {
			if err := b.engine.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	left := b.fs.CrashClone(vfs.CrashCloneCfg{})
	b.stop()
	b.fs = left
	return b, want
}

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open("data/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t *testing.T, fs vfs.FS, name string, content []byte) {
	t.Helper()
	f, err := fs.Create("data/"+name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(slices.Clone(content)); err != nil { // with -race, pebble's vfs spoils what it was given
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

func isData(name string) bool {
	return strings.HasSuffix(name, ".log") || strings.HasSuffix(name, ".sst") || strings.HasPrefix(name, "MANIFEST")
}

// Whatever bit of whatever file is turned over, either the engine does not start, or nothing is missing.
func TestFlippedBitIsNeverSilent(t *testing.T) {
	t.Parallel()
	b, want := damagedBox(t)
	left := b.fs
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	names, err := left.List("data")
	if err != nil {
		t.Fatal(err)
	}
	refused := make(map[string]int)
	for _, name := range slices.DeleteFunc(names, func(name string) bool { return !isData(name) }) {
		content := readFile(t, left, name)
		for range 60 {
			if len(content) == 0 {
				break
			}
			b.fs = left.CrashClone(vfs.CrashCloneCfg{})
			at, bit := rng.IntN(len(content)), rng.IntN(8)
			if rng.IntN(3) == 0 { // often the very end, where it is hardest to tell
				at = len(content) - 1 - rng.IntN(min(len(content), 400))
			}
			bad := slices.Clone(content)
			bad[at] ^= 1 << bit
			writeFile(t, b.fs, name, bad)
			if b.start() != nil {
				refused[name]++
				continue
			}
			got := b.pop("q", 1000, time.Minute)
			b.stop()
			if !slices.Equal(got, want) {
				t.Errorf("%s of %d bytes, bit %d of byte %d turned over: started with %d events, want %d",
					name, len(content), bit, at, len(got), len(want))
			}
		}
	}
	if len(refused) < 3 {
		t.Errorf("damage was seen in %v only", refused)
	}
}

// A log that ends in the middle of a write is not damage: what it lacks was not acknowledged.
func TestTornTailStarts(t *testing.T) {
	t.Parallel()
	b, want := damagedBox(t)
	left := b.fs
	names, err := left.List("data")
	if err != nil {
		t.Fatal(err)
	}
	newest := ""
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			newest = max(newest, name)
		}
	}
	content := readFile(t, left, newest)
	start := func(cut int, tail []byte) {
		b.fs = left.CrashClone(vfs.CrashCloneCfg{})
		writeFile(t, b.fs, newest, append(content[:len(content)-cut:len(content)-cut], tail...))
		if err := b.start(); err != nil {
			t.Errorf("cut by %d bytes, then %d zeros: %v", cut, len(tail), err)
			return
		}
		got := b.pop("q", 1000, time.Minute)
		b.stop()
		if len(got) < len(want)-10 || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("cut by %d bytes, then %d zeros: %d events", cut, len(tail), len(got))
		}
	}
	for cut := 1; cut < 400; cut += 7 { // a kill: the file ends
		start(cut, nil)
	}
	end := len(content) - len(content)%512
	for sectors := range 3 { // a power cut: the file is long enough, but sectors were not written
		start(len(content)-end+512*sectors, make([]byte, 512*(sectors+2)))
	}
}

// The manifest names the tables; a lost end of it would lose what they hold.
func TestCheckLogKnowsTornFromDamaged(t *testing.T) {
	t.Parallel()
	b, _ := damagedBox(t)
	names, err := b.fs.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "MANIFEST") {
			continue
		}
		content := readFile(t, b.fs, name)
		if torn, err := checkLog(content, 0); torn != 0 || err != nil {
			t.Errorf("%s as it was written: %d, %v", name, torn, err)
		}
		for i := range 8 * len(content) {
			bad := slices.Clone(content)
			bad[i/8] ^= 1 << (i % 8)
			if torn, err := checkLog(bad, 0); err == nil {
				t.Errorf("%s of %d bytes, byte %d: taken for %d torn bytes", name, len(content), i/8, torn)
			}
		}
	}
}
