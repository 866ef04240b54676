package main

import (
	"io"
	"net"
	"sync"
)

// A forwarder is a process between clients and Redis that looks at nothing: it reads what comes and writes it on. Whatever
// stands there, and it has to be something, costs the two cores at least that.
type forwarder struct {
	ln net.Listener
	to string
	wg sync.WaitGroup
}

func newForwarder(to string) (*forwarder, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &forwarder{ln: ln, to: to}
	f.wg.Go(f.run)
	return f, nil
}

func (f *forwarder) addr() string { return f.ln.Addr().String() }

func (f *forwarder) run() {
	for {
		client, err := f.ln.Accept()
		if err != nil {
			return
		}
		redis, err := net.Dial("tcp", f.to)
		if err != nil {
			client.Close()
			continue
		}
		f.wg.Go(func() { forward(client, redis) })
		f.wg.Go(func() { forward(redis, client) })
	}
}

// forward hands on what from says until it ends, by reads and writes: whoever splices never sees a command.
func forward(from, to net.Conn) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buf)
}

// close returns once all connections have ended, so their clients have to end first.
func (f *forwarder) close() {
	f.ln.Close()
	f.wg.Wait()
}
