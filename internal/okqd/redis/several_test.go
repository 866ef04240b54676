package redis_test

import (
	"testing"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// Whichever okqd a client talks to, it is the same queue.
func TestSeveralOkqdServeTheSameQueues(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	first, second := okqdtest.RunT(t, okqdtest.WithRedis(r.Addr)), okqdtest.RunT(t, okqdtest.WithRedis(r.Addr))
	a, b := dial(t, first.Addr), dial(t, second.Addr)

	want(t, a, "OK", "QREGISTER q")
	want(t, b, "OK", "QREGISTER q")
	for _, c := range []string{first.Addr, second.Addr} {
		want(t, dial(t, c), "[[q 0 0 2 0 0]]", "QSTATUS q")
	}
	woken := make(chan string, 1)
	go func() { woken <- do(t, b, "QNOTIFY 50") }()
	want(t, a, "OK", "QLPUSH q id x")
	if got := <-woken; got != "q" {
		t.Errorf("QNOTIFY at the other okqd: %s", got)
	}
	want(t, b, "[id x]", "QRPOP q EX 60")
	want(t, a, "redis: nil", "QRPOP q")
	want(t, a, "1", "QACK q id")

	first.Stop()
	want(t, b, "[[q 0 0 1 0 0]]", "QSTATUS q")
}

// Consumers at both, events pushed at both: each event goes to one consumer.
func TestSeveralOkqdGiveEachEventOnce(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t, "--appendfsync", "no")
	a, b := okqdtest.RunT(t, okqdtest.WithRedis(r.Addr)), okqdtest.RunT(t, okqdtest.WithRedis(r.Addr))
	w := startLoad(t, a.Addr, b.Addr)
	w.progress(2000)
	w.end()
	w.l.Drain(t, a.Addr)
	w.l.Check(t)
	if n := w.l.Failed(); n > 0 {
		t.Errorf("%d commands failed", n)
	}
}
