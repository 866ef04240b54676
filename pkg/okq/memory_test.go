package okq_test

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
)

// Not parallel: it measures what the whole process allocates.
func TestLargeContentsAreNotCopied(t *testing.T) {
	const size = 30 << 20
	contents := make([]byte, size)
	addr := listen(t, func(conn net.Conn) { // answers by what it is asked, and allocates next to nothing
		buf := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			switch {
			case bytes.Contains(buf[:n], []byte("QRPOP")):
				io.WriteString(conn, "*1\r\n*3\r\n$1\r\n1\r\n$31457280\r\n")
				conn.Write(contents)
				io.WriteString(conn, "\r\n:1\r\n")
			case bytes.Contains(buf[:n], []byte("QLPUSH")):
				header := bytes.Index(buf[:n], []byte("31457280\r\n")) + len("31457280\r\n")
				for left := header + size + len("\r\n") - n; left > 0; left -= n {
					if n, err = conn.Read(buf); err != nil {
						return
					}
				}
				io.WriteString(conn, "+OK\r\n")
			case bytes.Contains(buf[:n], []byte("QCAPS")):
				io.WriteString(conn, "*1\r\n$5\r\nCOUNT\r\n")
			default:
				io.WriteString(conn, "+OK\r\n")
			}
		}
	})
	c, err := okq.New(okq.Options{Addrs: []string{addr}, PoolSize: 1, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.Caps(t.Context()); err != nil {
		t.Fatal(err)
	}
	var before, pushed, popped runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := c.Push(t.Context(), okq.Event{Queue: "q", ID: "1", Contents: contents}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&pushed)
	events, err := c.Pop(t.Context(), "q", 1, 0)
	if err != nil || len(events) != 1 || len(events[0].Contents) != size {
		t.Fatalf("popped %d events, %v", len(events), err)
	}
	runtime.ReadMemStats(&popped)
	if n := pushed.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("a push of %d bytes allocates %d", size, n)
	}
	if n := popped.TotalAlloc - pushed.TotalAlloc; n > size+1<<20 {
		t.Errorf("a pop of %d bytes allocates %d", size, n)
	}
}
