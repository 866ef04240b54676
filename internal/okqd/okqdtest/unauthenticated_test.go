package okqdtest_test

import (
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
)

// silent opens connections that never say anything.
func silent(t *testing.T, addr string, n int) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		nc.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // the read tells
		conns[i] = nc
	}
	return conns
}

func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"", "a long enough password"} {
		srv := okqdtest.RunT(t, func(c *okqd.Config) { c.MaxConns = 40 }, okqdtest.WithPassword(password))
		login := func(c *wire) {
			if password != "" {
				c.want("+OK", "AUTH", password)
			}
			c.want("+PONG", "PING")
		}
		before := dial(t, srv.Addr)
		login(before)
		silent(t, srv.Addr, 200)
		for range 20 {
			login(dial(t, srv.Addr))
		}
		before.want("+PONG", "PING")
	}
}

func TestClientWithoutPasswordIsClosedAfterAWhile(t *testing.T) {
	t.Parallel()
	srv := okqdtest.RunT(t, okqdtest.WithPassword("a long enough password"))
	nc := silent(t, srv.Addr, 1)[0]
	if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("%v, want the connection closed", err)
	}
}

func TestWrongPasswordsAreFewAndSlow(t *testing.T) {
	t.Parallel()
	srv := okqdtest.RunT(t, okqdtest.WithPassword("a long enough password"))
	c := dial(t, srv.Addr)
	start := time.Now()
	for i := range 100 { // pipelined
		io.WriteString(c.nc, command("AUTH", "guess"+strconv.Itoa(i))) //nolint:errcheck // it may be closed
	}
	for range 3 {
		c.wantLine("-WRONGPASS invalid username-password pair or user is disabled.")
	}
	c.wantClosed()
	if took := time.Since(start); took < 700*time.Millisecond {
		t.Errorf("three wrong passwords took %v, want growing delays of 0.7 s in all", took)
	}
	right := dial(t, srv.Addr)
	right.want("+OK", "AUTH", "a long enough password")
}

// 51 KB of commands once made replies of gigabytes before the first was written.
func TestPipelinedScansAreWrittenAsTheyGo(t *testing.T) {
	srv := okqdtest.RunT(t)
	c := dial(t, srv.Addr)
	id := strings.Repeat("x", 1000) // and its number
	for i := range 1000 {
		c.send("QLPUSH", "q", id+strconv.Itoa(i), "x")
	}
	for range 1000 {
		c.wantLine("+OK")
	}
	io.WriteString(c.nc, strings.Repeat(command("QSCAN", "q", "0", "COUNT", "1000"), 1000)) //nolint:errcheck // 1 GB of replies, none of them read
	const limit = 200 << 20
	var m runtime.MemStats
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if runtime.ReadMemStats(&m); m.HeapInuse > limit {
			t.Fatalf("%d MiB in use, want less than %d", m.HeapInuse>>20, limit>>20)
		}
	}
}

func TestReadersThatDoNotReadShareTheirMemory(t *testing.T) {
	srv := okqdtest.RunT(t, func(c *okqd.Config) { c.MaxInflight, c.MaxBulk = 64<<20, 16<<20 })
	c := dial(t, srv.Addr)
	c.want("+OK", "QLPUSH", "q", "id", strings.Repeat("x", 8<<20))
	for _, nc := range silent(t, srv.Addr, 60) { // 480 MiB of replies
		io.WriteString(nc, command("QRPEEK", "q")) //nolint:errcheck // none of them read
	}
	const limit = 250 << 20
	var m runtime.MemStats
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if runtime.ReadMemStats(&m); m.HeapInuse > limit {
			t.Fatalf("%d MiB in use, want less than %d", m.HeapInuse>>20, limit>>20)
		}
	}
	c.want("*2", "QRPEEK", "q") // served, since who has not read for longest is closed
}

func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	srv := okqdtest.RunT(t)
	c := dial(t, srv.Addr)
	c.want("+OK", "QLPUSH", strings.Repeat("q", 255), strings.Repeat("i", 1024), "x")
	c.want("-ERR bad queue value: longer than 255 bytes", "QLPUSH", strings.Repeat("q", 256), "id", "x")
	c.want("-ERR bad event id value: longer than 1024 bytes", "QLPUSH", "q", strings.Repeat("i", 1025), "x")
	c.want("-ERR bad queue value: too long", "QREGISTER", strings.Repeat("q", 256))
}
