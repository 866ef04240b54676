package redis_test

import (
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

func TestForgottenScriptIsNotNoticed(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t, "--appendfsync", "no")
	okqd := okqdtest.RunT(t, okqdtest.WithRedis(r.Addr))
	w := startLoad(t, okqd.Addr)
	for range 30 {
		w.progress(1)
		r.CLI("SCRIPT", "FLUSH")
	}
	w.end()
	if n := w.l.Failed(); n > 0 {
		t.Errorf("%d commands failed", n)
	}
	w.l.Drain(t, okqd.Addr)
	w.l.Check(t)
}

// What a server refuses that cannot write now is done once it can.
func TestPushWaitsForAServerThatIsReadOnly(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	c := dial(t, okqdtest.RunT(t, okqdtest.WithRedis(r.Addr)).Addr)
	want(t, c, "OK", "QLPUSH q before x")
	r.CLI("REPLICAOF", "127.0.0.1", "1")
	pushed := make(chan string, 1)
	go func() { pushed <- do(t, c, "QLPUSH q id x") }()
	eventually(t, "the push is refused", func() bool {
		return strings.Contains(r.CLI("INFO", "errorstats"), "READONLY")
	})
	r.CLI("REPLICAOF", "NO", "ONE")
	if got := <-pushed; got != "OK" {
		t.Errorf("push: %s", got)
	}
	want(t, c, "[[before x 1] [id x 1]]", "QRPOP q EX 60 COUNT 9")
}

func TestFullMemoryRefusesPushesOnly(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction", "--appendfsync", "no")
	c := dial(t, okqdtest.RunT(t, okqdtest.WithRedis(r.Addr)).Addr)
	for _, id := range []string{"a", "b"} {
		want(t, c, "OK", "QLPUSH q "+id+" x")
	}
	large, n := strings.Repeat("x", 10_000), 0
	push := func() error {
		n++
		return c.Do(t.Context(), "QLPUSH", "large", n, large).Err()
	}
	var err error
	for err == nil && n < 10_000 {
		err = push()
	}
	if err == nil || !strings.HasPrefix(err.Error(), "ERR disk full") {
		t.Fatalf("push into a full memory: %v", err)
	}
	want(t, c, "OK", "QREGISTER q")
	want(t, c, "q", "QNOTIFY 0")
	want(t, c, "[a x]", "QRPOP q EX 60")
	want(t, c, "1", "QTOUCH q a EX 90")
	want(t, c, "1", "QACK q a REDO")
	want(t, c, "[a x]", "QRPOP q EX 60")
	want(t, c, "1", "QACK q a")
	want(t, c, "[b x]", "QRPOP q EX 0")
	want(t, c, "OK", "QFLUSH large")
	eventually(t, "a push is taken when there is room again", func() bool { return push() == nil })
}
