package worker

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Who comes alone waits for nothing; those who come soon after another call share one, a pace after it.
func TestCallsToTheStoreKeepTheirPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var sizes []int
		var times []time.Duration
		g := newGroup(4, 2, 10*time.Millisecond, func(_ context.Context, items []int) ([]int, error) {
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
