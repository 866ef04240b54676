package local

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// unpack extracts a data directory.
func unpack(t *testing.T, archive string) (dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, h.Name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// onDisk runs an engine on a directory of the machine's until the test ends or stop is called.
func onDisk(t *testing.T, dir string) (e *Engine, stop func()) {
	t.Helper()
	e, err := Open(Config{Dir: dir}, zerolog.Nop(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return e, stop
}

func do(e *Engine, op engine.Op) engine.Op {
	ops := []engine.Op{op}
	e.Exec(context.Background(), ops, &engine.Room{Budget: 1 << 20})
	return ops[0]
}

// stands describes an event: its state, contents and deliveries.
func stands(e *Engine, queue, id string) string {
	op := do(e, engine.Op{Kind: engine.Find, Queue: []byte(queue), ID: []byte(id)})
	if op.Err != nil || len(op.Events) != 1 {
		return fmt.Sprint("nothing: ", op.Err)
	}
	contents := string(op.Events[0].Contents)
	if len(contents) > 10 {
		contents = fmt.Sprintf("%d %c", len(contents), contents[0])
	}
	return fmt.Sprintf("%s %s #%d", op.Found.State, contents, op.Events[0].Deliveries)
}

// A directory of commit 25f7307 has events in every state, among files that were used again. Each is as it was, in its
// order, and stays so.
func TestDirectoryOf25f7307OpensAndKeepsItsEvents(t *testing.T) {
	t.Parallel()
	dir := unpack(t, "testdata/data-25f7307.tar.gz")
	for range 2 {
		e, stop := onDisk(t, dir)
		for event, want := range map[[2]string]string{
			{"q", "gone"}:       "nothing: <nil>",
			{"q", "leased"}:     "leased 1 #1",
			{"q", "a"}:          "ready 2 #0",
			{"q", "b"}:          "ready 3 #0",
			{"q", "front"}:      "ready 4 #1",
			{"q", "later"}:      "delayed 5 #0",
			{"q", "redone"}:     "ready 6 #0",
			{"q", "large"}:      "ready 70000 L #0",
			{"other", "o1"}:     "delayed x #1",
			{"traffic", "t12"}:  "nothing: <nil>",
			{"q", "never-seen"}: "nothing: <nil>",
		} {
			if got := stands(e, event[0], event[1]); got != want {
				t.Errorf("%s of %s: %s, want %s", event[1], event[0], got, want)
			}
		}
		stop()
	}
	e, stop := onDisk(t, dir)
	if op := do(e, pushOp("leased")); !errors.Is(op.Err, engine.ErrDuplicate) {
		t.Errorf("pushed again: %v", op.Err)
	}
	if op := do(e, pushOp("new")); op.Err != nil {
		t.Errorf("push: %v", op.Err)
	}
	pop := popOp(time.Minute)
	pop.Count = 10
	if got, want := ids(do(e, pop)), "front#2 a#1 b#1 redone#1 large#1 new#1"; got != want {
		t.Errorf("popped %q, want %q", got, want)
	}
	if op := do(e, ackOp([]byte("leased"))); !op.OK {
		t.Error("the lease cannot be acknowledged")
	}
	stop()
	if events, err := Check(dir); err != nil || events["q"] != 7 || events["other"] != 1 {
		t.Errorf("check: %v, %v", events, err)
	}
}

// An okqd that does not know a directory's format says which one it is and which one it knows.
func TestDirectoryOfANewerFormatIsRefusedByName(t *testing.T) {
	t.Parallel()
	dir := unpack(t, "testdata/data-25f7307.tar.gz")
	path := filepath.Join(dir, "journal")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(text), "journal 2 ", "journal 17 ", 1) + "and more\n"
	if err := os.WriteFile(path, []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(Config{Dir: dir}, zerolog.Nop(), prometheus.NewRegistry())
	if err == nil || strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), "format 17") || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("opened with %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != newer {
		t.Errorf("changed to %q, %v", after, err)
	}
}

func TestNobodyElseCanReadADirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "data")
	e, stop := onDisk(t, dir)
	do(e, pushOp("a"))
	stop()
	for _, path := range []string{filepath.Dir(dir), dir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 4 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", entry.Name(), info.Mode(), err)
		}
	}
	if !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == queueSetName }) {
		t.Error("no identity")
	}
}
