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

const header = "POST / HTTP/1.1\r\nHost: localhost\r\n"

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

// TestBodiesHoldNoMoreThanTheirBudget fills the budget with a body that does not end, of a client that has logged in.
func TestBodiesHoldNoMoreThanTheirBudget(t *testing.T) {
	t.Parallel()
	cfg := defaults(t)
	cfg.MaxHeld = 8<<20 + 1
	cfg.Pass = "secret"
	in := run(t, cfg)

	conn := in.dial(t, header+"Authorization: Basic c2VuZGdyaWQ6c2VjcmV0\r\nContent-Length: 8000000\r\n\r\n"+strings.Repeat(" ", 5<<20))
	in.waitForHeld(t, 8_000_000)
	body := batchOf(0, 5000) // more than what the first body leaves
	login := http.Header{"Authorization": {"Basic c2VuZGdyaWQ6c2VjcmV0"}}
	if got := in.post(t, body, login); got != 503 {
		t.Errorf("no memory left: %d, want 503", got)
	}
	if n := in.metric(t, "pm_hooks_posts_total", "busy", "503"); n == 0 {
		t.Error("the refusal is not counted as busy")
	}
	conn.Close()
	for deadline := time.Now().Add(time.Minute); in.post(t, body, login) != 200; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the memory of a body that was cut off is not given back")
		}
	}
}

func (in *instance) waitForHeld(t *testing.T, bytes float64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); in.metric(t, "pm_hooks_held_bytes") < bytes; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("bodies hold less than %v bytes", bytes)
		}
	}
}

func TestASlowStrangerGivesItsMemoryToAFasterOne(t *testing.T) {
	t.Parallel()
	cfg := defaults(t)
	cfg.MaxHeld = 8<<20 + 1
	in := run(t, cfg)
	in.dial(t, header+"Content-Length: 8000000\r\n\r\n"+strings.Repeat(" ", 5<<20))
	in.waitForHeld(t, 8_000_000)
	if got := in.post(t, batchOf(0, 5000)); got != 200 {
		t.Errorf("beside a body that stopped coming: %d, want 200", got)
	}
	if n := in.metric(t, "pm_hooks_connections_closed_total", "memory"); n != 1 {
		t.Errorf("%v connections closed for their memory, want 1", n)
	}
}

func TestAConnectionOverTheLimitTakesTheSlowestsPlace(t *testing.T) {
	t.Parallel()
	cfg := defaults(t)
	cfg.MaxConns = 1
	in := run(t, cfg)
	first := in.dial(t, header+"Content-Length: 1000\r\n\r\n[")
	second := in.dial(t, header+"Content-Length: 2\r\n\r\n[]")
	if got := status(second); got != 200 {
		t.Errorf("the second: %d, want 200", got)
	}
	if got := status(first); got != 0 {
		t.Errorf("the first: %d, want its connection closed", got)
	}
}

func TestARefusedRequestCostsNeitherItsBodyNorAWait(t *testing.T) {
	t.Parallel()
	cfg := defaults(t)
	cfg.Pass = "secret"
	in := run(t, cfg)
	for name, begin := range map[string]string{
		"no password": header + "Content-Length: 8000000\r\n\r\n",
		"too large":   header + "Authorization: Basic c2VuZGdyaWQ6c2VjcmV0\r\nContent-Length: 80000000\r\n\r\n",
		"not a POST":  "PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[",
	} {
		conn := in.dial(t, begin)
		began := time.Now()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); !resp.Close || took > 3*time.Second {
			t.Errorf("%s: answered %d, closing %v, over after %v", name, resp.StatusCode, resp.Close, took)
		}
	}
}
