package connlimit

import (
	"net"
	"sync"
	"time"
)

// Policy bounds the connections of one listener. Only Max has to be set.
type Policy struct {
	Max             int           // connections at once; more wait
	Unauthenticated int           // how many of them may be strangers (three quarters of Max)
	PerPeer         int           // how many strangers one peer may have once they are slow (half of Strangers)
	AuthTime        time.Duration // how long a connection may take until Admit; 0 for no limit
	Tries           int           // wrong tries after which a connection is closed (3)
}

func (p Policy) withDefaults() Policy {
	if p.Unauthenticated == 0 {
		p.Unauthenticated = max(p.Max*3/4, 1)
	}
	if p.PerPeer == 0 {
		p.PerPeer = max(p.Unauthenticated/2, 1)
	}
	if p.Tries == 0 {
		p.Tries = 3
	}
	return p
}

// Listener is a net.Listener that applies a Policy. Its connections are *Conn.
type Listener struct {
	net.Listener
	policy  Policy
	metrics *Metrics
	tries   tries

	once   sync.Once
	closed chan struct{}

	mu        sync.Mutex // protects the fields below and those of each Conn
	conns     map[*Conn]struct{}
	strangers map[string]map[*Conn]struct{} // by peer
	count     int                           // of strangers
	change    chan struct{}                 // closed when a connection has made room
}

// Listen applies p to ln.
func Listen(ln net.Listener, p Policy, m *Metrics) *Listener {
	return &Listener{
		Listener: ln, policy: p.withDefaults(), metrics: m, closed: make(chan struct{}),
		conns: map[*Conn]struct{}{}, strangers: map[string]map[*Conn]struct{}{}, change: make(chan struct{}),
	}
}

// Accept returns the next connection once the policy has room for it.
func (l *Listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: inner, listener: l, peer: peerOf(inner.RemoteAddr())}
	if !l.admit(c) {
		inner.Close()
		return nil, net.ErrClosed
	}
	return c, nil
}

// Close ends Accept. Connections stay open.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// admit waits for room for c, and makes room by closing strangers. It returns false when the listener was closed.
func (l *Listener) admit(c *Conn) bool {
	for {
		l.mu.Lock()
		now := time.Now()
		if victim := l.overPeerLocked(c.peer, now); victim != nil {
			l.mu.Unlock()
			victim.evict(reasonPeer)
			continue
		}
		if len(l.conns) < l.policy.Max && l.count < l.policy.Unauthenticated {
			c.since = now
			if l.policy.AuthTime > 0 {
				c.timer = time.AfterFunc(l.policy.AuthTime, c.expire)
			}
			l.addLocked(c)
			l.mu.Unlock()
			return true
		}
		victim, wait := l.victimLocked(now, nil)
		change := l.change
		l.mu.Unlock()
		if victim != nil {
			victim.evict(reasonShare)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-change:
		case <-timer.C:
		case <-l.closed:
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

func (l *Listener) addLocked(c *Conn) {
	l.conns[c] = struct{}{}
	l.metrics.Open.Inc()
	l.strangerLocked(c, true)
}

// strangerLocked counts c among the strangers, or no more.
func (l *Listener) strangerLocked(c *Conn, is bool) {
	if c.stranger == is {
		return
	}
	c.stranger = is
	peers := l.strangers[c.peer]
	if is {
		if peers == nil {
			peers = map[*Conn]struct{}{}
			l.strangers[c.peer] = peers
		}
		peers[c] = struct{}{}
		l.count++
		l.metrics.Unauthenticated.Inc()
		return
	}
	delete(peers, c)
	if len(peers) == 0 {
		delete(l.strangers, c.peer)
	}
	l.count--
	l.metrics.Unauthenticated.Dec()
	l.changedLocked()
}

func (l *Listener) removeLocked(c *Conn) {
	if _, open := l.conns[c]; !open {
		return
	}
	delete(l.conns, c)
	l.metrics.Open.Dec()
	l.strangerLocked(c, false)
	l.changedLocked()
}

func (l *Listener) changedLocked() {
	close(l.change)
	l.change = make(chan struct{})
}
