package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/levenlabs/postmaster/internal/archive"
)

var begin = time.Unix(1767225600, 123456789)

func open(t testing.TB, dir string, opts archive.Options) *archive.Writer {
	t.Helper()
	w, err := archive.NewWriter(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func write(t testing.TB, w *archive.Writer, at time.Time, body string) {
	t.Helper()
	if err := w.Write(archive.Post{At: at, Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

func all(t testing.TB, dir string) []string {
	t.Helper()
	bodies, err := readAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	return bodies
}

func readAll(dir string) (bodies []string, err error) {
	err = archive.Read(dir, "", func(p archive.Post) error {
		bodies = append(bodies, string(p.Body))
		return nil
	})
	return bodies, err
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var usual = archive.Options{MaxBytes: 1 << 20, MaxAge: time.Hour}

func TestPostsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	w := open(t, dir, usual)
	bodies := []string{"[]\r\n", "", "\x00\xff", strings.Repeat("[{}]", 1<<20)}
	for i, body := range bodies {
		write(t, w, begin.Add(time.Duration(i)), body)
	}
	var i int
	err := archive.Read(dir, "", func(p archive.Post) error {
		if string(p.Body) != bodies[i] || !p.At.Equal(begin.Add(time.Duration(i))) {
			t.Errorf("POST %d of %v: %.40q", i, p.At, p.Body)
		}
		i++
		return nil
	})
	if err != nil || i != len(bodies) {
		t.Errorf("%d POSTs read, %v", i, err)
	}
}

func TestWhatIsKnownOfAPostIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, dir, usual)
	posts := []archive.Post{
		{At: begin, Body: []byte("[1]")}, {At: begin, Body: []byte("[2]"), Signed: true}, {At: begin, Body: []byte("[3]"), OneClick: true},
	}
	for _, p := range posts {
		if err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	err := archive.Read(dir, "", func(p archive.Post) error {
		if want := posts[n]; p.Signed != want.Signed || p.OneClick != want.OneClick || string(p.Body) != string(want.Body) {
			t.Errorf("POST %d: %+v", n, p)
		}
		n++
		return nil
	})
	if err != nil || n != len(posts) {
		t.Errorf("%d POSTs read, %v", n, err)
	}
}

func TestZstdItselfReadsAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, dir, usual)
	write(t, w, begin, "[1]\r\n")
	write(t, w, begin, "[2]\r\n")
	b, err := os.ReadFile(names(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	if got, err := dec.DecodeAll(b, nil); string(got) != "[1]\r\n[2]\r\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestATornTailCostsOnlyItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, dir, usual)
	write(t, w, begin, "first")
	first, err := os.ReadFile(names(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, begin, "second")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := names(t, dir)[0]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, open(t, dir, usual), begin.Add(time.Minute), "of the next process")
	for size := len(first); size < len(whole); size++ {
		if err := os.WriteFile(name, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(all(t, dir)); got != "[first of the next process]" {
			t.Errorf("torn at %d of %d: %s", size, len(whole), got)
		}
	}
}

func TestADamagedFileIsToldAndTheOthersAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, dir, usual)
	write(t, w, begin, strings.Repeat("first", 100))
	name := names(t, dir)[0]
	first, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, open(t, dir, usual), begin.Add(time.Minute), "other")
	for i := range first {
		damaged := bytes.Clone(first)
		damaged[i] ^= 0x55
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		bodies, err := readAll(dir)
		if len(bodies) == 0 || bodies[len(bodies)-1] != "other" {
			t.Errorf("byte %d changed: %q, %v", i, bodies, err)
		}
		if len(bodies) == 1 && err == nil || len(bodies) == 2 && bodies[0] != strings.Repeat("first", 100) {
			t.Errorf("byte %d changed, and nobody was told: %q", i, bodies)
		}
	}
}

func TestFilesAreFollowedByOthersBySizeAndByAge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, dir, archive.Options{MaxBytes: 200, MaxAge: time.Hour})
	for i := range 10 { // of 30 to 60 bytes each, compressed
		write(t, w, begin.Add(time.Duration(i)), fmt.Sprintf("body %d", i))
	}
	bySize := len(names(t, dir))
	if bySize < 2 || bySize > 5 {
		t.Errorf("%d files after ten POSTs", bySize)
	}
	for _, name := range names(t, dir) {
		if info, err := os.Stat(name); err != nil || info.Size() > 200 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	write(t, w, begin.Add(2*time.Hour), "later")
	if n := len(names(t, dir)); n != bySize+1 {
		t.Errorf("%d files two hours later, want %d", n, bySize+1)
	}
	if got := all(t, dir); len(got) != 11 || got[10] != "later" {
		t.Errorf("read %q", got)
	}
}

func TestOldFilesAreRemovedAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keep := archive.Options{MaxBytes: 1 << 20, MaxAge: time.Nanosecond, Keep: 24 * time.Hour}
	w := open(t, dir, keep)
	now := time.Now()
	write(t, w, now, "old")
	old := now.Add(-25 * time.Hour)
	if err := os.Chtimes(names(t, dir)[0], old, old); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(foreign, old, old); err != nil {
		t.Fatal(err)
	}
	write(t, w, now.Add(time.Second), "new")
	if got := fmt.Sprint(all(t, dir)); got != "[new]" {
		t.Errorf("kept %s", got)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("a file that is not the archive's: %v", err)
	}
}

func TestWritersShareAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		w := open(t, dir, usual)
		for range 25 {
			wg.Go(func() { write(t, w, begin, "the same nanosecond") })
		}
	}
	wg.Wait()
	if got := all(t, dir); len(got) != 100 {
		t.Errorf("%d POSTs read, want 100", len(got))
	}
}

func TestReadEndsWithTheCallersError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open(t, dir, usual)
	write(t, w, begin, "1")
	write(t, w, begin, "2")
	enough := errors.New("enough")
	n := 0
	err := archive.Read(dir, "", func(archive.Post) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
	if _, err := readAll(filepath.Join(dir, "missing")); err == nil {
		t.Error("no folder, no error")
	}
}

func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	w := open(f, dir, usual)
	write(f, w, begin, "first")
	write(f, w, begin, "second")
	whole, err := os.ReadFile(names(f, dir)[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "posts-1.zst"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		readAll(dir)
	})
}

func BenchmarkWrite(b *testing.B) {
	wire, err := os.ReadFile("../hooks/testdata/sendgrid-events.wire")
	if err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat(wire, 70) // some 1,000 events
	w := open(b, b.TempDir(), archive.Options{MaxBytes: 64 << 20, MaxAge: time.Hour})
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := w.Write(archive.Post{At: begin, Body: body}); err != nil {
			b.Fatal(err)
		}
	}
}
