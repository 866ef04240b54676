package hooks_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/hooks"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
)

// dial opens a connection to pm-hooks and writes the beginning of a request.
func (in *instance) dial(t *testing.T, begin string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(in.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, begin); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// status reads an answer's status; 0 when the connection ended without one.
func status(conn net.Conn) int {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

const header = "POST / HTTP/1.1\r\nHost: x\r\n"

func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	hurry := func(s *hooks.Server) { s.Hurry(100 * time.Millisecond) }
	in := runOver(t, defaults(t), okqdtest.RunT(t).Addr, hurry)
	for name, begin := range map[string]string{
		"silent":              "",
		"half a header":       "POST / HTTP/1.1\r\nHo",
		"no body":             header + "Content-Length: 1000\r\n\r\n",
		"half a body":         header + "Content-Length: 1000\r\n\r\n[",
		"half a chunk":        header + "Transfer-Encoding: chunked\r\n\r\n5\r\n[",
		"idle after a POST":   header + "Content-Length: 2\r\n\r\n[]",
		"half a body, loudly": header + "Content-Length: 8000000\r\n\r\n" + strings.Repeat(" ", 100_000),
	} {
		conn := in.dial(t, begin)
		if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: still connected after a minute", name)
		}
	}
	if got := in.post(t, []byte("[]")); got != 200 {
		t.Errorf("afterwards: %d", got)
	}
}

func TestABodyThatEndsTooSoonIsNotTakenForWhole(t *testing.T) {
	t.Parallel()
	in := run(t, defaults(t))
	for name, begin := range map[string]string{
		"shorter than it said": header + "Content-Length: 1000\r\n\r\n[]",
		"without a last chunk": header + "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n",
	} {
		conn := in.dial(t, begin)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := status(conn); got != 400 && got != 0 {
			t.Errorf("%s: %d", name, got)
		}
	}
	if n := in.metric(t, "pm_hooks_posts_total", "", "200"); n != 0 {
		t.Errorf("%v POSTs answered 200", n)
	}
}

func TestAChunkedBodyIsReadAndBounded(t *testing.T) {
	t.Parallel()
	in := run(t, defaults(t))
	whole := event("open", 1)
	conn := in.dial(t, header+"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n"+fmt.Sprintf("%x\r\n%s\r\n", len(whole), whole)+"1\r\n]\r\n0\r\n\r\n")
	if got := status(conn); got != 200 {
		t.Errorf("in three chunks: %d", got)
	}
	wantQueued(t, in, whole)
	conn = in.dial(t, header+"Transfer-Encoding: chunked\r\n\r\n")
	chunk := "10000\r\n" + strings.Repeat(" ", 0x10000) + "\r\n"
	for range 8<<20/0x10000 + 1 {
		if _, err := io.WriteString(conn, chunk); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(conn, "0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got := status(conn); got != 413 {
		t.Errorf("chunks of more than 8 MiB: %d", got)
	}
}

func TestALargeHeaderIsRefused(t *testing.T) {
	t.Parallel()
	in := run(t, defaults(t))
	conn := in.dial(t, header+"X: "+strings.Repeat("x", 64<<10)+"\r\nContent-Length: 2\r\n\r\n[]")
	if got := status(conn); got != 431 {
		t.Errorf("status %d, want 431", got)
	}
}

// TestBodiesHoldNoMoreThanTheirBudget fills the budget with bodies that do not end.
func TestBodiesHoldNoMoreThanTheirBudget(t *testing.T) {
	t.Parallel()
	cfg := defaults(t)
	cfg.MaxHeld = 8<<20 + 1
	in := run(t, cfg)
	hold := header + "Content-Length: 8000000\r\n\r\n" + strings.Repeat(" ", 5<<20)
	conn := in.dial(t, hold)
	deadline := time.Now().Add(time.Minute)
	for in.metric(t, "pm_hooks_held_bytes") < 8_000_000 {
		if time.Now().After(deadline) {
			t.Fatal("a body of which 5 MiB came does not hold its memory")
		}
		time.Sleep(10 * time.Millisecond)
	}
	body := batchOf(0, 5000) // more than what the first body leaves
	if got := in.post(t, body); got != 503 {
		t.Errorf("no memory left: %d, want 503", got)
	}
	if n := in.metric(t, "pm_hooks_posts_total", "busy", "503"); n == 0 {
		t.Error("the refusal is not counted as busy")
	}
	conn.Close()
	for in.post(t, body) != 200 {
		if time.Now().After(deadline) {
			t.Fatal("the memory of a body that was cut off is not given back")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestConnectionsOverTheLimitWait(t *testing.T) {
	t.Parallel()
	cfg := defaults(t)
	cfg.MaxConns = 2
	in := run(t, cfg)
	first, second := in.dial(t, header), in.dial(t, header)
	third := in.dial(t, header+"Content-Length: 2\r\n\r\n[]")
	if err := third.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if got := status(third); got != 0 {
		t.Fatalf("a third connection is answered: %d", got)
	}
	second.Close()
	if err := third.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := status(third); got != 200 {
		t.Errorf("once another ended: %d", got)
	}
	first.Close()
}
