// Package buffers keeps large buffers for the next who needs one. To make a new one, which is to be cleared and collected
// and is of memory that no processor has at hand, costs about as much as all that is done with what comes into it.
package buffers

import (
	"math/bits"
	"sync"
	"unsafe"
)

// Smallest and Largest are in bytes the sizes between which buffers are kept.
const (
	Smallest = 64 << 10
	Largest  = Smallest << (classes - 1)

	classes = 10
)

// pools has the buffers of Smallest bytes, of twice that, and so on, by where they begin: that is kept without making a
// slice's header each time.
var pools [classes]sync.Pool

// Size returns the smallest size from n on that buffers are kept of, or n if that is less than Smallest or more than Largest.
func Size(n int) int {
	if n < Smallest || n > Largest {
		return n
	}
	return 1 << bits.Len(uint(n-1))
}

// Get returns a buffer of that size in which anything may be.
func Get(size int) []byte {
	if pool := poolOf(size); pool != nil {
		if begin, ok := pool.Get().(*byte); ok {
			return unsafe.Slice(begin, size)
		}
	}
	return make([]byte, size)
}

// Put takes a whole buffer that nobody has any more. Of any other size than those of Size it is left to the collector.
func Put(b []byte) {
	if pool := poolOf(cap(b)); pool != nil {
		pool.Put(unsafe.SliceData(b))
	}
}

// poolOf returns the buffers of exactly that size, nil if none are kept.
func poolOf(size int) *sync.Pool {
	if size < Smallest || size > Largest || size&(size-1) != 0 {
		return nil
	}
	return &pools[bits.TrailingZeros(uint(size/Smallest))]
}
