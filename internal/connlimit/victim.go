package connlimit

import "time"

const (
	// grace is how long a stranger that sends has before it can be closed for another.
	grace = time.Second
	// silentGrace is how long one that has sent nothing has.
	silentGrace = 250 * time.Millisecond
	// maxWait bounds the time between two looks for room.
	maxWait = time.Second
	// reclaimPace is how many bytes a second a client sends that keeps its memory: honest ones are faster.
	reclaimPace = 64 << 10
)

// Reclaim closes the slowest stranger but except, if it is slower than reclaimPace or has sent nothing for stalled, so that
// the memory it holds comes back. It returns false when there is none that had its time; later there may be.
func (l *Listener) Reclaim(except *Conn, stalled time.Duration) bool {
	l.mu.Lock()
	victim, _ := l.victimLocked(time.Now(), except)
	if victim != nil && victim.keepsPace(time.Now(), stalled) {
		victim = nil
	}
	l.mu.Unlock()
	if victim == nil {
		return false
	}
	victim.evict(reasonMemory)
	return true
}

// keepsPace reports whether the client sends at reclaimPace and has not stopped.
func (c *Conn) keepsPace(now time.Time, stalled time.Duration) bool {
	return !c.idle && float64(c.received.Load())/now.Sub(c.since).Seconds() >= reclaimPace && now.Sub(time.Unix(0, c.latest.Load())) < stalled
}

// victimLocked returns the stranger to close: of the peer that has most, the one that is idle longest, or else the
// slowest that had its time. Nil if there is none; then wait is when there may be.
func (l *Listener) victimLocked(now time.Time, except *Conn) (victim *Conn, wait time.Duration) {
	wait = maxWait
	most := 0
	for _, conns := range l.strangers {
		if len(conns) <= most {
			continue
		}
		v, w := slowest(conns, now, except)
		wait = min(wait, w)
		if v != nil {
			victim, most = v, len(conns)
		}
	}
	return victim, wait
}

// overPeerLocked returns the stranger that a peer over its limit loses, nil if none had its time.
func (l *Listener) overPeerLocked(peer string, now time.Time) *Conn {
	conns := l.strangers[peer]
	if len(conns) < l.policy.PerPeer {
		return nil
	}
	victim, _ := slowest(conns, now, nil)
	return victim
}

func slowest(conns map[*Conn]struct{}, now time.Time, except *Conn) (victim *Conn, wait time.Duration) {
	wait = maxWait
	var idlest time.Duration = -1
	var least float64
	for c := range conns {
		age, received := now.Sub(c.since), c.received.Load()
		if c == except || c.held {
			continue
		}
		if c.idle {
			if age > idlest {
				victim, idlest = c, age
			}
			continue
		}
		due := grace
		if received == 0 {
			due = silentGrace
		}
		if age < due {
			wait = min(wait, due-age)
			continue
		}
		pace := float64(received) / age.Seconds()
		if idlest < 0 && (victim == nil || pace < least) {
			victim, least = c, pace
		}
	}
	return victim, wait
}
