package local

import (
	"fmt"
	"testing"
	"time"
)

// eventually waits for what goroutines of the engine do.
func (b *box) eventually(what string, cond func() bool) {
	b.tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.tb.Fatalf("not within 20 s: %s", what)
		}
	}
}

// logLength is what of the disk the log takes, and how much of it is needed.
func (b *box) logLength() (used, live int64) {
	b.engine.mu.Lock()
	defer b.engine.mu.Unlock()
	return b.engine.journal.Used(), b.engine.live
}

// One old event in a thousand stays for good, among any amount of traffic: the log stays in proportion to what it has
// to keep, and each of those events is as it was, also after a restart.
func TestLogIsAsLongAsWhatItKeeps(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	defer func() { b.stop() }()
	segment := b.engine.journal.SegmentSize()
	var kept []string
	short := func() bool {
		used, live := b.logLength()
		return used <= 2*live+(slackSegments+1)*segment
	}
	for i := range 200 {
		if i%4 == 0 {
			id := fmt.Sprintf("keep%03d", i)
			b.push("q", id, "contents of "+id)
			kept = append(kept, fmt.Sprintf("%s=contents of %s#1", id, id))
		}
		b.push("traffic", "x", string(traffic))
		if !b.ack("traffic", "x") {
			t.Fatal("ack")
		}
		if i%20 == 19 {
			b.eventually("the log is short", short)
		}
	}
	if err := b.crash(nil); err != nil {
		t.Fatal(err)
	}
	got := b.pop("q", 1000, time.Minute)
	if fmt.Sprint(got) != fmt.Sprint(kept) {
		t.Errorf("left %v, want %v", got, kept)
	}
}

// What a deep backlog took of the disk is given back when it is gone.
func TestDiskIsGivenBack(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	defer func() { b.stop() }()
	before := b.fs.Size()
	const events = 100
	for i := range events {
		b.push("q", fmt.Sprint(i), string(traffic))
	}
	if size := b.fs.Size(); size < events*int64(len(traffic)) {
		t.Errorf("a backlog of %d MB takes %d of disk", events*len(traffic)>>20, size>>20)
	}
	for i := range events {
		if !b.ack("q", fmt.Sprint(i)) {
			t.Fatal("ack")
		}
	}
	b.push("q", "next", "x")
	b.eventually("the disk is free again", func() bool { return b.fs.Size() < before+6<<20 })
}
