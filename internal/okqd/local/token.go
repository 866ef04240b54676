package local

import "strconv"

// A token names a lease: the push of its event, which delivery it is, and which of its leases, since a lease that is
// released is no delivery. Of the latter the log keeps the last few bits, so eight leases of one event that were all
// released but the last would have to pass before a token is another's.

func appendToken(b []byte, n serial, deliveries uint32, leases uint8) []byte {
	b = strconv.AppendUint(b, uint64(n), 36)
	b = strconv.AppendUint(append(b, '-'), uint64(deliveries), 36)
	return strconv.AppendUint(append(b, '-'), uint64(leases), 36)
}

func nextLease(leases uint8) uint8 { return (leases + 1) % leaseCount }

// leasedUnder tells whether ev's lease is the one of that token. Every event fits no token at all.
func (ev *event) leasedUnder(token []byte) bool {
	if len(token) == 0 {
		return true
	}
	var room [64]byte
	return ev.state == leased && string(appendToken(room[:0], ev.serial, ev.deliveries, ev.leases)) == string(token)
}
