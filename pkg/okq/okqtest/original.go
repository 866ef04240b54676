// Package okqtest has an okq server for tests of code that uses package okq: the original okq of 2016, in memory, with
// its commands, its replies and its habits. It knows no DELAY, COUNT or QTOUCH.
package okqtest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Original is a server that does what the original okq did.
type Original struct {
	ScanEvery time.Duration // how often it looks for leases that ran out; 10 s as the original
	ScanBatch int           // how many it gives back then; 50 as the original

	mu       sync.Mutex // protects the fields below
	listener net.Listener
	conns    map[net.Conn]bool
	queues   map[string]*queue
	wake     chan struct{} // closed by the next push
	stop     chan struct{}
	calls    map[string]int

	addr string
	wg   sync.WaitGroup
}

// RunOriginal starts a server that stops with the test. The options change it before it starts.
func RunOriginal(t testing.TB, options ...func(*Original)) *Original {
	t.Helper()
	s, err := StartOriginal(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// StartOriginal is RunOriginal for examples, which have no test: the caller stops the server.
func StartOriginal(options ...func(*Original)) (*Original, error) {
	s := &Original{
		ScanEvery: 10 * time.Second, ScanBatch: 50,
		queues: map[string]*queue{}, calls: map[string]int{}, wake: make(chan struct{}), addr: "127.0.0.1:0",
	}
	for _, option := range options {
		option(s)
	}
	return s, s.Start()
}

// ScanEvery makes a server that looks for leases that ran out more often than the original's 10 s.
func ScanEvery(d time.Duration) func(*Original) { return func(s *Original) { s.ScanEvery = d } }

// Addr is where it listens, host:port.
func (s *Original) Addr() string { return s.addr }

// Calls returns how often a command was called.
func (s *Original) Calls(command string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[command]
}

// Start has a server that was stopped listen again, at the same address and with the same events.
func (s *Original) Start() error {
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("start the original okq: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.addr = l, l.Addr().String()
	s.conns, s.stop = map[net.Conn]bool{}, make(chan struct{})
	s.wg.Go(func() { s.accept(l) })
	stop := s.stop
	s.wg.Go(func() { s.scan(stop) })
	return nil
}

// Stop closes the listener and all connections, and waits until their goroutines are gone. The events stay.
func (s *Original) Stop() {
	s.mu.Lock()
	if s.listener != nil {
		s.listener.Close()
		close(s.stop)
		for conn := range s.conns {
			conn.Close()
		}
		s.listener = nil
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *Original) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.listener != l {
			s.mu.Unlock()
			conn.Close()
			return
		}
		s.conns[conn] = true
		stop := s.stop
		s.mu.Unlock()
		s.wg.Go(func() {
			s.serve(conn, stop)
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, conn)
			conn.Close()
		})
	}
}

func (s *Original) serve(conn net.Conn, stop chan struct{}) {
	r, w := bufio.NewReader(conn), bufio.NewWriter(conn)
	var registered []string
	defer func() { s.register(registered, nil) }()
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		name := ""
		if len(args) > 0 {
			name, args = strings.ToUpper(args[0]), args[1:]
		}
		switch name {
		case "QREGISTER":
			s.register(registered, args)
			registered = args
			writeSimple(w, "OK")
		case "QNOTIFY":
			w.Flush()
			s.notify(w, registered, args, stop)
		default:
			s.do(w, name, args)
		}
		s.mu.Lock()
		s.calls[name]++
		s.mu.Unlock()
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
	}
}
