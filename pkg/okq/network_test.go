package okq_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/okq/okqtest"
)

func TestAnotherAddressTakesOver(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	first, second := okqtest.RunOriginal(t), okqtest.RunOriginal(t)
	c := newClient(t, first.Addr(), second.Addr())
	event := func(id string) okq.Event { return okq.Event{Queue: "q", ID: id} }
	if err := c.Push(ctx, event("1")); err != nil {
		t.Fatal(err)
	}
	if n := first.Calls("QLPUSH"); n != 1 {
		t.Errorf("%d pushes to the first address, want 1", n)
	}
	first.Stop()
	eventually(t, "pushes go to the second", func() bool { return c.Push(ctx, event("2")) == nil })
	second.Stop()
	restart(t, first)
	eventually(t, "and to the first again", func() bool { return c.Push(ctx, event("3")) == nil })
	if n := first.Calls("QLPUSH"); n != 2 {
		t.Errorf("%d pushes to the first address, want 2", n)
	}
}

func TestASilentServerIsPassedOver(t *testing.T) {
	t.Parallel()
	silent := listen(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	server := okqtest.RunOriginal(t)
	c, err := okq.New(okq.Options{Addrs: []string{silent, server.Addr()}, DialTimeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	eventually(t, "a push", func() bool { return c.Push(t.Context(), okq.Event{Queue: "q", ID: "1"}) == nil })
}

func TestCallsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	silent := listen(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	c := newClient(t, silent)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := c.Ping(ctx)
	if !errors.Is(err, okq.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ping: %v, want ErrUnavailable by the deadline", err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("it took %v", d)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Ping(canceled); !errors.Is(err, context.Canceled) || errors.Is(err, okq.ErrUnavailable) {
		t.Errorf("ping: %v, want only the context's error", err)
	}
}

func TestAServerThatStopsAnsweringIsTakenForDead(t *testing.T) {
	t.Parallel()
	server := okqtest.RunOriginal(t)
	var mu sync.Mutex
	hung := false
	proxy := listen(t, func(conn net.Conn) {
		up, err := net.Dial("tcp", server.Addr())
		if err != nil {
			return
		}
		defer up.Close()
		go func() {
			io.Copy(up, conn)
			up.Close()
		}()
		buf := make([]byte, 4096)
		for {
			n, err := up.Read(buf)
			mu.Lock()
			drop := hung
			mu.Unlock()
			if err != nil {
				return
			}
			if !drop {
				conn.Write(buf[:n])
			}
		}
	})
	c, err := okq.New(okq.Options{Addrs: []string{proxy}, DialTimeout: 300 * time.Millisecond, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	hung = true
	mu.Unlock()
	if err := c.Push(t.Context(), okq.Event{Queue: "q", ID: "1"}); !errors.Is(err, okq.ErrUnavailable) {
		t.Errorf("push to a hung server, with no deadline: %v, want ErrUnavailable", err)
	}
	mu.Lock()
	hung = false
	mu.Unlock()
	eventually(t, "it is used again", func() bool {
		err := c.Push(t.Context(), okq.Event{Queue: "q", ID: "1"})
		return err == nil || errors.Is(err, okq.ErrDuplicate)
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	server := okqtest.RunOriginal(t)
	addr := listenTLS(t, web.TLS.Certificates, server.Addr())
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	c, err := okq.New(okq.Options{Addrs: []string{addr}, TLS: &tls.Config{RootCAs: roots}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	pushN(t, c, "q", 10)
	consumer, _ := consume(t, c, okq.ConsumerOptions{Handle: ackAll})
	eventually(t, "all acked", func() bool { return consumer.Stats().Acked == 10 })

	stranger, err := okq.New(okq.Options{Addrs: []string{addr}, TLS: &tls.Config{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stranger.Close)
	if err := stranger.Ping(t.Context()); !errors.Is(err, okq.ErrUnavailable) {
		t.Errorf("ping of a server with an unknown certificate: %v", err)
	}
}

func TestAServerThatTalksSomethingElseIsAnError(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"HTTP/1.1 400 Bad Request\r\n\r\n", "-NOAUTH Authentication required.\r\n", "$-1\r\n", ":1\r\n", "\x00\x01\x02\x03", "*1\r\n+x\r\n", "+OK\r\n+OK\r\n", "*-7\r\n", "$-9\r\n", "$9999999999999\r\n"} {
		t.Run(fmt.Sprintf("%.10q", answer), func(t *testing.T) {
			t.Parallel()
			addr := listen(t, func(conn net.Conn) {
				buf := make([]byte, 4096)
				for {
					if _, err := conn.Read(buf); err != nil {
						return
					}
					io.WriteString(conn, answer)
				}
			})
			c := newClient(t, addr)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if events, err := c.Pop(ctx, "q", 2, 0); err == nil && len(events) > 0 {
				t.Errorf("popped %v", events)
			}
			if _, err := c.Status(ctx); err == nil {
				t.Error("status without an error")
			}
		})
	}
}

// Not parallel: it counts all goroutines.
func TestNothingRunsAfterClose(t *testing.T) {
	before := runtime.NumGoroutine()
	server := okqtest.RunOriginal(t)
	c, err := okq.New(okq.Options{Addrs: []string{server.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	pushN(t, c, "q", 100)
	consumer, stop := consume(t, c, okq.ConsumerOptions{Concurrency: 10, Handle: ackAll})
	eventually(t, "all acked", func() bool { return consumer.Stats().Acked == 100 })
	server.Stop()
	time.Sleep(20 * time.Millisecond)
	restart(t, server)
	eventually(t, "it is back", func() bool { return c.Ping(t.Context()) == nil })
	stop()
	c.Close()
	server.Stop()
	if err := c.Ping(t.Context()); !errors.Is(err, okq.ErrClosed) {
		t.Errorf("ping after Close: %v, want ErrClosed", err)
	}
	eventually(t, "all goroutines are gone", func() bool { return runtime.NumGoroutine() <= before })
}

// listen serves connections with serve, until the test ends.
func listen(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accept(t, l, serve)
	return l.Addr().String()
}

// listenTLS passes on what comes in by TLS to addr.
func listenTLS(t testing.TB, certs []tls.Certificate, addr string) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certs})
	if err != nil {
		t.Fatal(err)
	}
	accept(t, l, func(conn net.Conn) { relay(conn, addr) })
	return l.Addr().String()
}

func accept(t testing.TB, l net.Listener, serve func(net.Conn)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range conns {
			conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
}

func TestOneCallersImpatienceIsNotAnothers(t *testing.T) {
	t.Parallel()
	server := okqtest.RunOriginal(t)
	slow := listen(t, func(conn net.Conn) { // takes its time to say hello
		time.Sleep(200 * time.Millisecond)
		relay(conn, server.Addr())
	})
	c, err := okq.New(okq.Options{Addrs: []string{slow}, PoolSize: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := c.Ping(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("impatient: %v, want at most its own deadline", err)
			}
		})
		wg.Go(func() {
			if err := c.Ping(t.Context()); err != nil {
				t.Errorf("patient: %v", err)
			}
		})
	}
	wg.Wait()
}

// relay passes on what comes and goes until either side ends.
func relay(conn net.Conn, addr string) {
	up, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	go func() {
		io.Copy(up, conn)
		up.Close()
	}()
	io.Copy(conn, up)
}
