package okqd

import (
	"net"
	"net/netip"
	"time"
)

const (
	// authTimeout is how long a client may take from connecting to its password.
	authTimeout = 10 * time.Second
	// maxWrongPasswords is how many wrong passwords a connection may send before it is closed.
	maxWrongPasswords = 3
	// firstWrongDelay is the time to the answer to the first wrong password. It doubles with each further one.
	firstWrongDelay = 200 * time.Millisecond
)

// unauthenticated holds the connections of which nothing is known yet: those without the password or, on a server
// without one, those that have sent no command. They may wait as long as nobody needs their place. Beyond max of them,
// or when the server is full, a new connection takes the place of the oldest one of the peer that has the most, so a
// peer that opens many never keeps others out.
type unauthenticated struct {
	max    int
	size   int
	byPeer map[netip.Addr][]*conn // oldest first
}

// newUnauthenticated leaves three quarters of all connections to clients that are known.
func newUnauthenticated(maxConns int) *unauthenticated {
	return &unauthenticated{max: max(maxConns/4, min(maxConns, 16)), byPeer: make(map[netip.Addr][]*conn)}
}

func (u *unauthenticated) add(c *conn) {
	u.byPeer[c.peer] = append(u.byPeer[c.peer], c)
	u.size++
}

func (u *unauthenticated) remove(c *conn) {
	conns := u.byPeer[c.peer]
	for i := range conns {
		if conns[i] == c {
			u.set(c.peer, append(conns[:i:i], conns[i+1:]...))
			u.size--
			return
		}
	}
}

// evict removes the oldest connection of the peer with the most and returns it, or nil if there is none.
func (u *unauthenticated) evict() *conn {
	var peer netip.Addr
	most := 0
	for p, conns := range u.byPeer {
		if len(conns) > most {
			peer, most = p, len(conns)
		}
	}
	if most == 0 {
		return nil
	}
	oldest := u.byPeer[peer][0]
	u.set(peer, u.byPeer[peer][1:])
	u.size--
	return oldest
}

func (u *unauthenticated) set(peer netip.Addr, conns []*conn) {
	if len(conns) == 0 {
		delete(u.byPeer, peer)
		return
	}
	u.byPeer[peer] = conns
}

// peerOf returns what counts as one peer: an IPv4 address, or an IPv6 network of 64 bits, which one host may have.
func peerOf(addr net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.Addr{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.Addr()
		}
	}
	return ip
}
