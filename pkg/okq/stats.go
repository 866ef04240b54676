package okq

import "sync/atomic"

// ConsumerStats count what a consumer has done since it was made, for metrics.
type ConsumerStats struct {
	Popped  uint64 // deliveries
	Acked   uint64
	Redone  uint64 // given back, by the handler or for it
	Lost    uint64 // whose lease ended before they were finished
	Touched uint64 // extensions of leases
	Panics  uint64 // of the handler

	InFlight int // unfinished deliveries now
}

type counters struct {
	popped, acked, redone, lost, touched, panics atomic.Uint64
}

// Stats returns the counts so far.
func (c *Consumer) Stats() ConsumerStats {
	return ConsumerStats{
		Popped: c.count.popped.Load(), Acked: c.count.acked.Load(), Redone: c.count.redone.Load(),
		Lost: c.count.lost.Load(), Touched: c.count.touched.Load(), Panics: c.count.panics.Load(),
		InFlight: len(c.leases.all()),
	}
}
