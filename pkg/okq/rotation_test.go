package okq

import (
	"context"
	"testing"
	"time"
)

func TestRotationAsksEachQueueFirstAsOftenAsItsWeight(t *testing.T) {
	t.Parallel()
	r := newRotation([]QueueWeight{{"normal", 2}, {"high", 10}, {"low", 1}})
	first, wait := map[string]int{}, map[string]int{}
	for i := range 13 * 100 {
		names := r.next()
		if len(names) != 3 || names[0] == names[1] || names[1] == names[2] || names[0] == names[2] {
			t.Fatalf("round %d: %v, want each queue once", i, names)
		}
		first[names[0]]++
		for _, name := range names {
			wait[name]++
		}
		wait[names[0]] = 0
		if wait["normal"] > 7 || wait["low"] > 13 {
			t.Fatalf("round %d: waited %v rounds", i, wait)
		}
	}
	if first["high"] != 1000 || first["normal"] != 200 || first["low"] != 100 {
		t.Errorf("first %v", first)
	}
}

func TestSlotsLingerForALargerBatchOnlyWhenNearlyFull(t *testing.T) {
	t.Parallel()
	s := newSlots(8, nil)
	if n := s.acquire(t.Context(), 7, time.Minute); n != 7 {
		t.Fatalf("acquired %d of 8, want 7 at once", n)
	}
	got := make(chan int)
	go func() { got <- s.acquire(t.Context(), 4, time.Minute) }() // 1 is free, 2 are enough
	s.release(1)
	if n := <-got; n != 2 {
		t.Errorf("acquired %d, want 2", n)
	}
	s.release(1)
	if n := s.acquire(t.Context(), 4, time.Millisecond); n != 1 {
		t.Errorf("acquired %d after the linger, want 1", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := s.acquire(ctx, 4, time.Minute); n != 0 {
		t.Errorf("acquired %d of none", n)
	}
}
