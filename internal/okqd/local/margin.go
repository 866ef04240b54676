package local

import "time"

const (
	// leaseSlack is added to every lease, so that it is not shorter than asked although it is only told after the disk
	// has it.
	leaseSlack = 100 * time.Millisecond
	// marginFloor is the margin of a disk that has been fast.
	marginFloor = 500 * time.Millisecond
	// marginFactor makes it enough for the commit that is being written, the next one, and either as slow again.
	marginFactor = 4
	// marginPeriod is how long a slow commit counts, at least: longer than any Exec may wait for the disk.
	marginPeriod = 10 * commitTimeout
)

// margin is how much longer a lease is on disk than in memory. A lease is told some time after it was written down; as
// long as that is no more than the margin, a crash makes no lease shorter than asked. It follows the disk, for what
// happens before a reply must not need one more commit than the reply itself. The engine's lock protects it.
type margin struct {
	floor   time.Duration
	begun   int64    // when the commit that is being written began, on the engine's clock; -1: none is
	slowest [2]int64 // commit of this period and of the one before
	until   int64    // end of this period
}

func (m *margin) begin(now int64) { m.begun = now }

func (m *margin) end(now int64) {
	if now >= m.until {
		m.slowest[0], m.slowest[1] = 0, m.slowest[0]
		m.until = now + int64(marginPeriod)
	}
	m.slowest[0] = max(m.slowest[0], min(now-m.begun, int64(commitTimeout)))
	m.begun = -1
}

// raise makes the margin enough for a wait as long as one was.
func (m *margin) raise(waited int64) {
	m.slowest[0] = max(m.slowest[0], min(waited, int64(commitTimeout)))
}

// at is the margin of what is written down now.
func (m *margin) at(now int64) time.Duration {
	slowest := max(m.slowest[0], m.slowest[1])
	if m.begun >= 0 {
		slowest = max(slowest, min(now-m.begun, int64(commitTimeout)))
	}
	return max(m.floor, marginFactor*time.Duration(slowest))
}
