package okq

import (
	"strconv"
	"time"
)

// Event is one item of a queue.
type Event struct {
	Queue string
	// ID names the event in its queue: okq refuses a second event of the same ID while the first is there. It makes a
	// push safe to repeat, so it has to come from the caller.
	ID string
	// Contents are any bytes. They must not be changed while a push of them is under way, nor after a push that its
	// context ended: they may still be on their way to the connection.
	Contents []byte
	// Deliveries is how often the event was popped, this time included; 0 when the server does not tell.
	Deliveries int
	// Lease is the token of the lease under which the event was popped; "" when the server does not tell.
	Lease string
}

// leaseArgs restrict a command to the event's lease.
func (e Event) leaseArgs() []string {
	if e.Lease == "" {
		return nil
	}
	return []string{"LEASE", e.Lease}
}

const (
	// DefaultLease is the lease of a Pop that asks for 0.
	DefaultLease = 30 * time.Second
	// NoLease has a Pop take events for good: they are gone whatever happens next, and need no Ack.
	NoLease time.Duration = -1
)

// leaseSeconds is a lease as the protocol counts it, never shorter than asked.
func leaseSeconds(lease time.Duration) string {
	switch {
	case lease == NoLease:
		return "0"
	case lease <= 0:
		lease = DefaultLease
	}
	return strconv.FormatInt(int64(ceil(lease, time.Second)), 10)
}

func delayMillis(delay time.Duration) string {
	return strconv.FormatInt(int64(ceil(delay, time.Millisecond)), 10)
}

// ceil returns how many units d has, rounded up. It adds nothing to d, which may be the longest duration there is.
func ceil(d, unit time.Duration) time.Duration {
	n := d / unit
	if d%unit > 0 {
		n++
	}
	return n
}
