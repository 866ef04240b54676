package console

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A proxy logs users in before the console, by OIDC or whatever it knows, and names them in a header. Only requests that
// come from its addresses are believed.
type proxy struct {
	networks  []netip.Prefix
	header    string
	operators []string
}

// parseNetworks takes addresses and networks: 10.0.0.7, 10.1.0.0/16.
func parseNetworks(list []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range list {
		network, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			network, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("--console-trusted-proxies: %q is no address or network", text)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

// user returns whom the proxy has logged in.
func (p *proxy) user(r *http.Request) (user, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return user{}, false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !slices.ContainsFunc(p.networks, func(n netip.Prefix) bool { return n.Contains(addr.Unmap()) }) {
		return user{}, false
	}
	name := strings.TrimSpace(r.Header.Get(p.header))
	if name == "" || len(name) > maxUserName || len(r.Header.Values(p.header)) != 1 {
		return user{}, false
	}
	u := user{Name: name, Role: reader, Proxied: true}
	if slices.Contains(p.operators, name) || slices.Contains(p.operators, "*") {
		u.Role = operator
	}
	return u, true
}
