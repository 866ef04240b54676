package cases

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// command is one command of the okq protocol.
func command(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}

// okqd once took 455,000 wrong passwords a second on one connection, and wrote a line of log for each.
func TestCase12WrongPasswordsCloseTheConnection(t *testing.T) {
	t.Parallel()
	p := process.New(t, "okqd", "--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", filepath.Join(t.TempDir(), "okq"))
	p.Env = []string{"OKQ_PASSWORD=correct horse battery staple"}
	p.Run(2)
	nc, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // the reads tell
	go func() {
		tries := strings.Repeat(command("AUTH", "guess"), 100)
		for range 200 {
			if _, err := nc.Write([]byte(tries)); err != nil {
				return
			}
		}
	}()
	answers := 0
	for lines := bufio.NewScanner(nc); lines.Scan(); answers++ {
	}
	logged := strings.Count(p.Log(), "wrong password")
	r := &rig{t: t}
	r.came("%d of 20000 tries answered, %d lines of log", answers, logged)
	if answers > 5 || logged > 5 {
		t.Errorf("%d tries were answered and %d logged, want the connection closed after a few", answers, logged)
	}
}

// 10,010 connections that said nothing once kept everyone out.
func TestCase13SilentConnectionsToOkqdKeepNobodyOut(t *testing.T) {
	t.Parallel()
	p := process.Start(t, 2, "okqd", "--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", filepath.Join(t.TempDir(), "okq"), "--max-conns", "500")
	for range 510 {
		nc, err := net.Dial("tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
	}
	nc, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	start := time.Now()
	nc.SetDeadline(start.Add(20 * time.Second)) //nolint:errcheck // the read tells
	nc.Write([]byte(command("PING")))           //nolint:errcheck // the read tells
	line, err := bufio.NewReader(nc).ReadString('\n')
	r := &rig{t: t}
	r.came("with 510 silent connections of 500: %q after %v", line, time.Since(start).Round(time.Millisecond))
	if line != "+PONG\r\n" {
		t.Errorf("PING beside silent connections: %q, %v", line, err)
	}
}
