package worker

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Those who come soon after another call share one, a pace after it.
func TestCallsToTheStoreKeepTheirPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var sizes []int
		var times []time.Duration
		g := newGroup(4, 2, func() time.Duration { return 10 * time.Millisecond }, func(_ context.Context, items []int) ([]int, error) {
			mu.Lock()
			defer mu.Unlock()
			sizes, times = append(sizes, len(items)), append(times, time.Since(start))
			return items, nil
		})
		do := func(n int) {
			if got, err := g.do(t.Context(), n); got != n || err != nil {
				t.Errorf("do(%d) = %d, %v", n, got, err)
			}
		}
		do(0)
		time.Sleep(time.Millisecond)
		var wg sync.WaitGroup
		for n := range 6 {
			wg.Go(func() { do(n) })
		}
		wg.Wait()
		time.Sleep(time.Second)
		do(7)
		g.wait()
		if want := []int{1, 4, 2, 1}; !slices.Equal(sizes, want) {
			t.Errorf("calls of %v, want %v", sizes, want)
		}
		want := []time.Duration{0, 10 * time.Millisecond, 20 * time.Millisecond, 1020 * time.Millisecond}
		if !slices.Equal(times, want) {
			t.Errorf("calls at %v, want %v", times, want)
		}
	})
}

// One email at a time makes a call for its attempt every few milliseconds: none of them waits.
func TestAnEmailAloneDoesNotKeepThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w Worker
		g := newGroup(4, 2, w.pace, func(_ context.Context, items []int) ([]int, error) { return items, nil })
		start := time.Now()
		for n := range 100 {
			w.underWay.Add(1)
			if _, err := g.do(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			w.underWay.Add(-1)
		}
		if waited := time.Since(start); waited > 0 {
			t.Errorf("100 emails, one after the other, waited %v for their calls", waited)
		}
		g.wait()
	})
}

func TestThePaceGrowsWithTheEmailsUnderWay(t *testing.T) {
	var w Worker
	var got []time.Duration
	for range 40 {
		got = append(got, w.pace())
		w.underWay.Add(1)
	}
	if got[0] != 0 || got[1] != 0 || got[2] == 0 || got[company] != groupPace || got[39] != groupPace || !slices.IsSorted(got) {
		t.Errorf("paces %v", got)
	}
}
