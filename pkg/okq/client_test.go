package okq_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

func newClient(t testing.TB, addrs ...string) *okq.Client {
	t.Helper()
	c, err := okq.New(okq.Options{Addrs: addrs, DialTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAnEventGoesThroughPushPopAndAck(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClient(t, okqtest.RunOriginal(t).Addr())
	contents := []byte("a\x00b\r\nc")
	for i, opts := range [][]okq.PushOption{nil, nil, {okq.Front()}, {okq.NoBlock()}} {
		if err := c.Push(ctx, okq.Event{Queue: "q", ID: fmt.Sprint(i), Contents: contents}, opts...); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Push(ctx, okq.Event{Queue: "q", ID: "1"}); !errors.Is(err, okq.ErrDuplicate) {
		t.Errorf("second push of an ID: %v, want ErrDuplicate", err)
	}
	if e, ok, err := c.Peek(ctx, "q", okq.PeekFront); err != nil || !ok || e.ID != "2" {
		t.Errorf("peek: %v %v %v, want the one that was pushed to the front", e, ok, err)
	}
	if e, ok, err := c.Peek(ctx, "q", okq.PeekBack); err != nil || !ok || e.ID != "3" {
		t.Errorf("peek back: %v %v %v", e, ok, err)
	}
	if _, _, err := c.Find(ctx, "q", "1"); !errors.Is(err, okq.ErrNoFind) {
		t.Errorf("find on the original: %v, want ErrNoFind", err)
	}
	events, err := c.Pop(ctx, "q", 10, time.Minute)
	if err != nil || len(events) != 4 {
		t.Fatalf("pop: %d events, %v, want 4", len(events), err)
	}
	order := ""
	for _, e := range events {
		order += e.ID
		if string(e.Contents) != string(contents) || e.Queue != "q" || e.Deliveries != 0 {
			t.Errorf("popped %+v", e)
		}
	}
	if order != "2013" {
		t.Errorf("popped in order %s, want 2013", order)
	}
	st, err := c.Status(ctx, "q", "none")
	if err != nil || len(st) != 2 || st[0].Total != 4 || st[0].Processing != 4 || st[1].Queue != "none" {
		t.Errorf("status: %+v %v", st, err)
	}
	if ok, err := c.Ack(ctx, "q", "0"); !ok || err != nil {
		t.Errorf("ack: %v %v", ok, err)
	}
	if ok, err := c.Ack(ctx, "q", "0"); ok || err != nil {
		t.Errorf("second ack: %v %v, want false", ok, err)
	}
	if ok, err := c.Redo(ctx, "q", "1", 0); !ok || err != nil {
		t.Errorf("redo: %v %v", ok, err)
	}
	if events, err := c.Pop(ctx, "q", 1, okq.NoLease); err != nil || len(events) != 1 || events[0].ID != "1" {
		t.Errorf("pop after redo: %v %v", events, err)
	}
	if err := c.Flush(ctx, "q"); err != nil {
		t.Error(err)
	}
	if events, err := c.Pop(ctx, "q", 3, 0); err != nil || len(events) != 0 {
		t.Errorf("pop of an empty queue: %v %v", events, err)
	}
}

func TestTheOriginalServerHasNoExtras(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClient(t, okqtest.RunOriginal(t).Addr())
	if caps, err := c.Caps(ctx); err != nil || caps != (okq.Caps{}) {
		t.Errorf("caps %+v %v, want none", caps, err)
	}
	if err := c.Push(ctx, okq.Event{Queue: "q", ID: "1"}, okq.Delay(time.Second)); !errors.Is(err, okq.ErrNoDelay) {
		t.Errorf("push with a delay: %v, want ErrNoDelay", err)
	}
	if _, err := c.Redo(ctx, "q", "1", time.Second); !errors.Is(err, okq.ErrNoDelay) {
		t.Errorf("redo with a delay: %v, want ErrNoDelay", err)
	}
	if _, err := c.Touch(ctx, "q", "1", time.Second); !errors.Is(err, okq.ErrNoTouch) {
		t.Errorf("touch: %v, want ErrNoTouch", err)
	}
	if st, err := c.Status(ctx); err != nil || len(st) > 0 && st[0].Total != 0 {
		t.Errorf("status %v %v: what could not be delayed must not be pushed", st, err)
	}
}

func TestPushAllReportsEachEvent(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClient(t, okqtest.RunOriginal(t).Addr())
	events := make([]okq.Event, 1000)
	for i := range events {
		events[i] = okq.Event{Queue: "q", ID: fmt.Sprint(i), Contents: []byte("x")}
	}
	events[500].ID = "7"
	events[501].ID = ""
	for i, err := range c.PushAll(ctx, events) {
		switch i {
		case 500:
			if !errors.Is(err, okq.ErrDuplicate) {
				t.Errorf("duplicate: %v", err)
			}
		case 501:
			if err == nil {
				t.Error("an event without an ID was pushed")
			}
		default:
			if err != nil {
				t.Fatal(i, err)
			}
		}
	}
	if st, err := c.Status(ctx, "q"); err != nil || st[0].Total != 998 {
		t.Errorf("status %v %v, want 998 events", st, err)
	}
}

func TestAnAbsentServerFailsCallsNotNew(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := newClient(t, addr)
	start := time.Now()
	for range 100 {
		if err := c.Push(t.Context(), okq.Event{Queue: "q", ID: "1"}); !errors.Is(err, okq.ErrUnavailable) {
			t.Fatalf("push to nobody: %v, want ErrUnavailable", err)
		}
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("100 failures took %v", d)
	}
}
