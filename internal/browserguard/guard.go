// Package browserguard refuses the requests that a web page of another origin has a browser make. A browser sends them
// from inside a network and with what it is logged in with, so an address that only this machine or network can reach
// protects from strangers but not from the pages that its people look at.
//
// There are two ways in. A page may simply post: its browser says so in Sec-Fetch-Site and Origin. Or a page's own host
// name may be made to lead to this machine (DNS rebinding): then the browser takes us for the page's own origin, and only
// the Host header tells.
package browserguard

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/levenlabs/postmaster/internal/listen"
)

// A Guard decides about requests. The zero Guard lets pages of its own origin in and trusts no other host name.
type Guard struct {
	// NoBrowsers refuses whatever a browser sends, of our own origin too, on a connection that Host is checked on: for
	// servers without pages.
	NoBrowsers bool
	// Authenticated says that each request must show a credential that no browser has, so that Host need not be checked.
	Authenticated bool
	// AllowHosts are host names to accept beside loopback ones.
	AllowHosts Hosts
}

var (
	errCrossOrigin = errors.New("a web page of another origin may not call this server (Sec-Fetch-Site, Origin)")
	errBrowser     = errors.New("a browser may not call this server while it needs no credential (Origin, Sec-Fetch-*)")
	errHost        = errors.New("this server needs no credential and so answers only loopback host names: call it as localhost or 127.0.0.1, or name the host with --allow-host")
)

// Check returns why a request is refused, or nil. The text is for the client.
func (g *Guard) Check(r *http.Request) error {
	if crossOrigin(r) {
		return errCrossOrigin
	}
	if g.Authenticated || !onLoopback(r) {
		return nil
	}
	if g.NoBrowsers && fromBrowser(r.Header) {
		return errBrowser
	}
	if !g.knowsHost(r) {
		return errHost
	}
	return nil
}

// knowsHost reports whether the request calls us by a name of ours. One that names its host in the request line, in the
// place of the header, is for a proxy: no browser sends it to a server.
func (g *Guard) knowsHost(r *http.Request) bool {
	return r.Host == "" || r.URL.IsAbs() || listen.IsLoopback(r.Host) || slices.Contains(g.AllowHosts, listen.Host(r.Host))
}

// Handler answers refused requests with 403 and the reason, and hands all others to next.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.Check(r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

var protection = http.NewCrossOriginProtection()

// crossOrigin reports whether a page of another origin made the request. A link that somebody follows is not one: a page
// learns nothing from the answer.
func crossOrigin(r *http.Request) bool {
	if protection.Check(r) != nil {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// fromBrowser reports whether a browser sent the request. Sec-Fetch-Mode alone proves nothing: Node's fetch sends it, and
// no browser sends it without Sec-Fetch-Site.
func fromBrowser(h http.Header) bool {
	for name := range h {
		if name == "Origin" || strings.HasPrefix(name, "Sec-Fetch-") && name != "Sec-Fetch-Mode" {
			return true
		}
	}
	return false
}

// onLoopback reports whether the request came over a loopback address of this machine.
func onLoopback(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && listen.IsLoopback(addr.String())
}
