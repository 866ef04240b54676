package hooks_test

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/pkg/job"
)

func batchOf(from, n int) []byte {
	events := make([]string, n)
	for i := range events {
		events[i] = event("open", from+i)
	}
	return []byte("[" + strings.Join(events, ",\r\n") + "]\r\n")
}

// TestNothingIsLostWhileOkqIsAway does what SendGrid does with an answer that is not 2xx: it sends the same again.
func TestNothingIsLostWhileOkqIsAway(t *testing.T) { onEachEngine(t, nothingIsLostWhileOkqIsAway) }

func nothingIsLostWhileOkqIsAway(t *testing.T, e engine) {
	okqd := e.start(t)
	in := runOver(t, defaults(t), okqd.Addr)
	if got := in.post(t, batchOf(0, 10)); got != 200 {
		t.Fatalf("status %d", got)
	}
	okqd.Stop()
	second := batchOf(10, 10)
	for range 3 {
		if got := in.post(t, second); got != 503 {
			t.Fatalf("okq is away: %d, want 503", got)
		}
	}
	if got := in.post(t, []byte("[]")); got != 200 {
		t.Errorf("nothing to keep: %d, want 200 without okq", got)
	}
	e.start(t, okqdtest.WithAddr(okqd.Addr))
	deadline := time.Now().Add(time.Minute)
	for in.post(t, second) != 200 {
		if time.Now().After(deadline) {
			t.Fatal("okq came back, but no 200")
		}
		time.Sleep(20 * time.Millisecond)
	}
	var want []string
	for i := range 20 {
		want = append(want, event("open", i))
	}
	wantQueued(t, in, want...)
}

func TestTheSamePostAgainIsNoSecondEvent(t *testing.T) {
	onEachEngine(t, theSamePostAgainIsNoSecondEvent)
}

func theSamePostAgainIsNoSecondEvent(t *testing.T, e engine) {
	in := e.run(t, defaults(t))
	body := batchOf(0, 9000) // in several parts
	for range 3 {
		if got := in.post(t, body); got != 200 {
			t.Fatalf("status %d", got)
		}
	}
	queued := in.queued(t)
	if len(queued) != 9000 {
		t.Errorf("%d events queued, want 9000", len(queued))
	}
	for i, raw := range queued {
		if string(raw) != event("open", i) {
			t.Fatalf("event %d is %s", i, raw)
		}
	}
}

// TestAnOkqThatDoesNotAnswerIs503 has an okq that takes connections and is silent: its disk may hang.
func TestAnOkqThatDoesNotAnswerIs503(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	in := runOver(t, defaults(t), ln.Addr().String())
	start := time.Now()
	if got := in.post(t, batchOf(0, 1)); got != 503 {
		t.Errorf("status %d, want 503", got)
	}
	if d := time.Since(start); d > time.Minute {
		t.Errorf("answered after %v", d)
	}
}

func TestAPostOfEightMiBIsKept(t *testing.T) { onEachEngine(t, aPostOfEightMiBIsKept) }

func aPostOfEightMiBIsKept(t *testing.T, e engine) {
	in := e.run(t, defaults(t))
	body := batchOf(0, 40_000)
	body = append(body, bytes.Repeat([]byte(" "), 8<<20-len(body))...)
	if got := in.post(t, body); got != 200 {
		t.Fatalf("8 MiB: %d", got)
	}
	if got := in.post(t, append(body, ' ')); got != 413 {
		t.Errorf("one byte more: %d", got)
	}
	st, err := in.okq.Status(t.Context(), job.QueueStats)
	if err != nil || st[0].Total < 5 {
		t.Errorf("status %v, %v: want several parts", st, err)
	}
	if n := len(in.queued(t)); n != 40_000 {
		t.Errorf("%d events queued, want 40000", n)
	}
	if n := in.metric(t, "pm_hooks_events_total", "accepted", "open"); n != 40_000 {
		t.Errorf("%v counted", n)
	}
	for status, want := range map[string]float64{"200": 1, "413": 1} {
		reason := map[string]string{"413": "too_large"}[status]
		if n := in.metric(t, "pm_hooks_posts_total", reason, status); n != want {
			t.Errorf("%v POSTs counted as %s", n, fmt.Sprint(status, reason))
		}
	}
}
