// Package listen holds what all listeners have in common: which of them other machines can reach, and whether a
// credential protects those.
package listen

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// A Listener is an address that a program listens on and the credential that its clients must show.
type Listener struct {
	Flag      string // the address's: "--listen-addr"
	Addr      string // empty: it does not listen
	Protected bool   // clients must show a credential
	Needs     string // how to set one, for people: "--api-token"; empty: there is none
}

// Exposed reports whether other machines can reach the listener without a credential.
func (l Listener) Exposed() bool { return l.Addr != "" && !l.Protected && !IsLoopback(l.Addr) }

// Fault says what is wrong with an exposed listener and what to do about it.
func (l Listener) Fault() error {
	remedy := "listen on 127.0.0.1"
	if l.Needs != "" {
		remedy = "set " + l.Needs + ", or " + remedy
	}
	return fmt.Errorf("%s: other machines can reach %s without a credential: %s", l.Flag, l.Addr, remedy)
}

// IsLoopback reports whether only this machine can reach host:port or a host alone. A host that is not named means all of
// the machine's addresses.
func IsLoopback(addr string) bool {
	host := Host(addr)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Host returns the host of host:port or of a host alone, in lower case, without brackets and a final dot.
func Host(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.Trim(addr, "[]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
