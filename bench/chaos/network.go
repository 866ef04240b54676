package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// A network is the proxies between the processes.
type network struct {
	server *toxiproxy.ApiServer
	links  []*link
}

// A link leads from one client to one server.
type link struct {
	name  string // client>server
	proxy *toxiproxy.Proxy
}

func newNetwork() *network {
	return &network{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())}
}

// connect returns the address at which client finds the server that listens on upstream.
func (n *network) connect(client, server, upstream string) (addr string, err error) {
	name := client + ">" + server
	for range 10 { // somebody else on the machine may be faster
		if addr, err = freeAddr(); err != nil {
			return "", err
		}
		l := &link{name, toxiproxy.NewProxy(n.server, name, addr, upstream)}
		if err = n.server.Collection.Add(l.proxy, true); err == nil {
			n.links = append(n.links, l)
			return addr, nil
		}
	}
	return "", fmt.Errorf("proxy %s: %w", name, err)
}

// to are the links whose name ends so.
func (n *network) to(server string) []*link {
	var found []*link
	for _, l := range n.links {
		if strings.HasSuffix(l.name, server) {
			found = append(found, l)
		}
	}
	return found
}

func (n *network) close() {
	for _, l := range n.links {
		l.proxy.Stop()
	}
}

// cut breaks all connections and refuses new ones until mend.
func (l *link) cut() error {
	l.proxy.Stop()
	return nil
}

// poison changes how the link carries what goes through it, as toxiproxy names it.
func (l *link) poison(toxic string) error {
	_, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
	return err
}

func (l *link) mend() error {
	l.proxy.Toxics.ResetToxics(context.Background())
	if err := l.proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
		return fmt.Errorf("mend %s: %w", l.name, err)
	}
	return nil
}

// given are the addresses that freeAddr has returned.
var given sync.Map

// freeAddr is an address on loopback below the ports that the system gives out by itself, so that it stays free while
// its server is down.
func freeAddr() (string, error) {
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(18000))
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		ln.Close()
		if _, again := given.LoadOrStore(addr, true); !again { // its server may not have come to listen yet
			return addr, nil
		}
	}
	return "", errors.New("no free port between 12000 and 30000")
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }
