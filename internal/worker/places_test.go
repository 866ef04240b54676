package worker

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// waiters start acquiring one after the other and note their names in the order in which they are let in.
type waiters struct {
	*places
	t  *testing.T
	wg sync.WaitGroup
	mu sync.Mutex // protects in
	in []string
}

func (w *waiters) wait(name string, high bool) {
	w.wg.Go(func() {
		if w.acquire(w.t.Context(), high) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.in = append(w.in, name)
		}
	})
	synctest.Wait()
}

func TestPlacesAreGivenToHighPriorityFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waiters{places: newPlaces(1), t: t}
		w.wait("first", false)
		w.wait("normal 1", false)
		w.wait("normal 2", false)
		w.wait("high 1", true)
		w.wait("high 2", true)
		for range 5 {
			w.release()
			synctest.Wait()
		}
		w.wg.Wait()
		if want := []string{"first", "high 1", "high 2", "normal 1", "normal 2"}; !slices.Equal(w.in, want) {
			t.Errorf("let in: %q, want %q", w.in, want)
		}
		if w.used != 0 {
			t.Errorf("%d places are still taken", w.used)
		}
	})
}

func TestHighPriorityDoesNotStarveTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waiters{places: newPlaces(1), t: t}
		w.wait("first", true)
		for range 3 * share {
			w.wait("high", true)
		}
		w.wait("normal", false)
		w.wait("normal", false)
		for range 3*share + 3 {
			w.release()
			synctest.Wait()
		}
		w.wg.Wait()
		if i := slices.Index(w.in, "normal"); i < 0 || i > share+1 {
			t.Errorf("the first normal one is let in as number %d", i)
		}
	})
}

func TestPlacesAreKeptForHighPriorityWhileSendGridIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, slow := range []bool{false, true} {
			s := newStarts(32)
			if !slow {
				s.learn(time.Millisecond, 50*time.Millisecond)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() { s.posts.acquire(ctx, false) })
			}
			synctest.Wait()
			var got bool
			done := make(chan struct{})
			go func() {
				got = s.posts.acquire(ctx, true)
				close(done)
			}()
			time.Sleep(time.Second)
			cancel()
			<-done
			wg.Wait()
			if got != slow {
				t.Errorf("SendGrid slow %v: an email of high priority gets a place at once: %v", slow, got)
			}
			if want := 32; !slow && s.posts.used != want {
				t.Errorf("%d of %d places are used while SendGrid is fast", s.posts.used, want)
			}
		}
	})
}

func TestWhoLeavesALineCostsNobodyAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(1)
		p.acquire(t.Context(), false)
		impatient, cancel := context.WithCancel(t.Context())
		left := make(chan bool)
		go func() { left <- p.acquire(impatient, true) }()
		synctest.Wait()
		in := make(chan bool)
		go func() { in <- p.acquire(t.Context(), false) }()
		synctest.Wait()
		cancel()
		if <-left {
			t.Fatal("a place although none was free")
		}
		p.release()
		if !<-in {
			t.Fatal("no place although one is free")
		}
		p.release()
		if p.used != 0 {
			t.Errorf("%d places are still taken", p.used)
		}
	})
}
