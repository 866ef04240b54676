package okq_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

// TestALateAckSparesAnEventThatWasPutBack has an event removed and pushed again under a consumer, which then acks.
func TestALateAckSparesAnEventThatWasPutBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClient(t, okqdtest.RunT(t).Addr)
	event := okq.Event{Queue: "q", ID: "1", Contents: []byte("x")}
	push := func() {
		if err := c.Push(ctx, event); err != nil {
			t.Error(err)
		}
	}
	push()
	acked := make(chan error, 1)
	var first sync.Once
	consume(t, c, okq.ConsumerOptions{Handle: func(ctx context.Context, batch []*okq.Delivery) {
		first.Do(func() {
			if ok, err := c.Ack(ctx, "q", "1"); !ok || err != nil {
				t.Errorf("ack by another: %v %v", ok, err)
			}
			push()
			acked <- batch[0].Ack(ctx)
		})
	}})
	if err := <-acked; !errors.Is(err, okq.ErrLeaseLost) {
		t.Errorf("the late ack: %v, want ErrLeaseLost", err)
	}
	if s, err := c.Status(ctx, "q"); err != nil || s[0].Total != 1 {
		t.Errorf("the event that was put back: %+v %v", s, err)
	}
}

func TestADeliveryIsMovedToAnotherQueue(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClient(t, okqdtest.RunT(t).Addr)
	for _, e := range []okq.Event{{Queue: "q", ID: "1", Contents: []byte("job")}, {Queue: "dead", ID: "taken"}} {
		if err := c.Push(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	results := make(chan error, 3)
	consume(t, c, okq.ConsumerOptions{Queues: []okq.QueueWeight{{Queue: "q", Weight: 1}}, Handle: func(ctx context.Context, batch []*okq.Delivery) {
		d := batch[0]
		results <- d.Move(ctx, okq.Event{Queue: "dead", ID: "taken", Contents: []byte("letter")})
		results <- d.Move(ctx, okq.Event{Queue: "dead", ID: "1", Contents: []byte("letter")})
		results <- d.Ack(ctx)
	}})
	for _, want := range []error{okq.ErrDuplicate, nil, okq.ErrFinished} {
		if err := <-results; !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if f, ok, err := c.Find(ctx, "dead", "1"); !ok || err != nil || string(f.Contents) != "letter" {
		t.Errorf("moved: %+v %v %v", f, ok, err)
	}
	if s, err := c.Status(ctx, "q"); err != nil || s[0].Total != 0 {
		t.Errorf("where it was: %+v %v", s, err)
	}
}

func TestAnEventThatIsNotLeasedIsMovedRemovedAndReplaced(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClient(t, okqdtest.RunT(t).Addr)
	if err := c.Push(ctx, okq.Event{Queue: "q", ID: "1", Contents: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	expect := func(what string, want, got bool, err error) {
		t.Helper()
		if got != want || err != nil {
			t.Errorf("%s: %v %v, want %v", what, got, err, want)
		}
	}
	replaced, err := c.Replace(ctx, okq.Event{Queue: "q", ID: "1", Contents: []byte("y")}, time.Hour)
	expect("replace", true, replaced, err)
	moved, err := c.Move(ctx, okq.Event{Queue: "q", ID: "1"}, okq.Event{Queue: "q", ID: "2"}, 0)
	expect("move", true, moved, err)
	events, err := c.Pop(ctx, "q", 5, time.Minute)
	if err != nil || len(events) != 1 || events[0].ID != "2" || string(events[0].Contents) != "y" || events[0].Lease == "" {
		t.Fatalf("popped %+v %v", events, err)
	}
	removed, err := c.Remove(ctx, "q", "2")
	expect("remove of what is leased", false, removed, err)
	replaced, err = c.Replace(ctx, okq.Event{Queue: "q", ID: "2"}, 0)
	expect("replace of what is leased", false, replaced, err)
	stale := okq.Event{Queue: "q", ID: "2", Lease: "none"}
	moved, err = c.Move(ctx, stale, okq.Event{Queue: "q", ID: "3"}, 0)
	expect("move under another lease", false, moved, err)
	acked, err := c.AckLease(ctx, stale)
	expect("ack of another lease", false, acked, err)
	acked, err = c.AckLease(ctx, events[0])
	expect("ack", true, acked, err)
	removed, err = c.Remove(ctx, "q", "2")
	expect("remove of what is gone", false, removed, err)
}

func TestTheOriginalMovesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newClient(t, okqtest.RunOriginal(t).Addr())
	if _, err := c.Move(ctx, okq.Event{Queue: "q", ID: "1"}, okq.Event{Queue: "p", ID: "1"}, 0); !errors.Is(err, okq.ErrNoMove) {
		t.Errorf("move: %v", err)
	}
	if _, err := c.Remove(ctx, "q", "1"); !errors.Is(err, okq.ErrNoRemove) {
		t.Errorf("remove: %v", err)
	}
	if _, err := c.Replace(ctx, okq.Event{Queue: "q", ID: "1"}, 0); !errors.Is(err, okq.ErrNoReplace) {
		t.Errorf("replace: %v", err)
	}
}
