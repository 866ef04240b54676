package buffers_test

import (
	"sync"
	"testing"

	"github.com/levenlabs/postmaster/internal/buffers"
)

func TestSizes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{
		0: 0, 1: 1, buffers.Smallest - 1: buffers.Smallest - 1, buffers.Smallest: buffers.Smallest,
		buffers.Smallest + 1: 2 * buffers.Smallest, 500_000: 512 << 10, 1 << 20: 1 << 20, 1<<20 + 1: 2 << 20,
		buffers.Largest - 1: buffers.Largest, buffers.Largest: buffers.Largest, buffers.Largest + 1: buffers.Largest + 1,
	} {
		if got := buffers.Size(n); got != want {
			t.Errorf("Size(%d) = %d, want %d", n, got, want)
		}
		if b := buffers.Get(want); len(b) != want || cap(b) < want {
			t.Errorf("Get(%d) has %d bytes", want, len(b))
		}
	}
}

// TestNoTwoHaveTheSameBuffer has many take, fill and give back at once.
func TestNoTwoHaveTheSameBuffer(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for me := range byte(16) {
		wg.Go(func() {
			for i := range 200 {
				b := buffers.Get(buffers.Smallest << (i % 3))
				for at := range b {
					b[at] = me
				}
				for at := range b {
					if b[at] != me {
						t.Errorf("another wrote %d at %d", b[at], at)
						return
					}
				}
				buffers.Put(b[:i]) // however much of it was used
			}
		})
	}
	wg.Wait()
}

func TestABufferThatWasGivenBackIsNotMadeAgain(t *testing.T) {
	made := testing.AllocsPerRun(100, func() {
		buffers.Put(buffers.Get(buffers.Largest))
	})
	if made >= 1 {
		t.Errorf("%v allocations for a buffer that is there", made)
	}
}

func BenchmarkGet(b *testing.B) {
	for b.Loop() {
		buffers.Put(buffers.Get(512 << 10))
	}
}
