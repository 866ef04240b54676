package redis_test

import (
	"strings"
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

// All okqd of one Redis tell one queue set, and have it again when Redis lost everything.
func TestQueueSetIsOneForAllOkqdOfARedis(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	set := func(opts ...okqdtest.Option) string {
		t.Helper()
		c := dial(t, okqdtest.RunT(t, append(opts, okqdtest.WithRedis(r.Addr))...).Addr)
		words := strings.Fields(strings.Trim(do(t, c, "QCAPS"), "[]"))
		last := words[len(words)-1]
		if !strings.HasPrefix(last, "QUEUE-SET=") || !strings.Contains(do(t, c, "INFO"), "queue_set:"+last[len("QUEUE-SET="):]+"\r\n") {
			t.Fatalf("QCAPS %v, and INFO %s", words, do(t, c, "INFO"))
		}
		return last
	}
	first := set()
	if second := set(); second != first {
		t.Errorf("%s at one, %s at the other", first, second)
	}
	r.CLI("HDEL", "okq:{okqd}:layout", "queue-set") // as a failover may
	eventually(t, "those that know it say it again", func() bool {
		return strings.TrimSpace(r.CLI("HGET", "okq:{okqd}:layout", "queue-set")) == strings.TrimPrefix(first, "QUEUE-SET=")
	})
	other := testenv.StartRedis(t)
	r = other
	if set() == first {
		t.Error("another Redis has the same")
	}
}
