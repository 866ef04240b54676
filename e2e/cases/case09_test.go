package cases

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Clients that promise a body and do not send it hold nothing that others need.
func TestCase09StalledBodiesDoNotMakeOthersWait(t *testing.T) {
	r := newRig(t)
	r.startAPI()
	const header = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	for _, stalled := range []string{
		header + "Transfer-Encoding: chunked\r\n\r\n",
		header + "Transfer-Encoding: chunked\r\n\r\n10000\r\n" + strings.Repeat(" ", 1<<16) + "\r\n",
		header + "Content-Length: 33554432\r\n\r\n",
	} {
		for range 8 {
			stall(t, r.api.Addr, stalled)
		}
	}
	large := `{"jsonrpc":"2.0","id":1,"method":"Postmaster.Enqueue","params":{"to":"a@example.com","from":"shop@example.org","subject":"S","text":"` +
		strings.Repeat("x", 100<<10) + `"}}`
	for name, body := range map[string]io.Reader{
		"chunked":        io.MultiReader(strings.NewReader(large)), // of a length that the client does not know
		"over 64 KiB":    strings.NewReader(large),
		"small, chunked": io.MultiReader(strings.NewReader(sendMail)),
	} {
		began := time.Now()
		resp, err := http.Post("http://"+r.api.Addr+"/", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		took := time.Since(began)
		r.came("%s: %d after %v", name, resp.StatusCode, took.Round(time.Millisecond))
		if err != nil || resp.StatusCode != http.StatusOK || took > 3*time.Second {
			t.Errorf("%s: %d after %v, %s (%v); want 200 at once", name, resp.StatusCode, took, answer, err)
		}
	}
}

// Whoever sends slower than the least pace is cut off soon, however little is missing.
func TestCase09ABodyHasToKeepAPace(t *testing.T) {
	r := newRig(t)
	r.startAPI()
	began := time.Now()
	conn := stall(t, r.api.Addr, "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"js\r\n")
	conn.SetReadDeadline(time.Now().Add(60 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer after %v: %v", time.Since(began), err)
	}
	resp.Body.Close()
	took := time.Since(began)
	r.came("a stalled body: %d after %v", resp.StatusCode, took.Round(time.Second))
	if resp.StatusCode != http.StatusRequestTimeout || took > 15*time.Second {
		t.Errorf("%d after %v, want 408 within seconds", resp.StatusCode, took)
	}
}

// stall sends the beginning of a request and no more.
func stall(t *testing.T, addr, beginning string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprint(conn, beginning); err != nil {
		t.Fatal(err)
	}
	return conn
}
