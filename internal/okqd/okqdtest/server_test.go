package okqdtest_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
)

// wire is a connection on which commands are written as text.
type wire struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

func dial(t *testing.T, addr string) *wire {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return newWire(t, nc)
}

func newWire(t *testing.T, nc net.Conn) *wire {
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // the read tells
	return &wire{t, nc, bufio.NewReader(nc)}
}

func (w *wire) send(args ...string) {
	w.t.Helper()
	if _, err := io.WriteString(w.nc, command(args...)); err != nil {
		w.t.Fatal(err)
	}
}

func command(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return b.String()
}

// want sends a command and compares the first line of the reply.
func (w *wire) want(line string, args ...string) {
	w.t.Helper()
	w.send(args...)
	w.wantLine(line)
}

func (w *wire) wantLine(want string) {
	w.t.Helper()
	got, err := w.r.ReadString('\n')
	if got != want+"\r\n" || err != nil {
		w.t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func (w *wire) wantClosed() {
	w.t.Helper()
	if rest, err := io.ReadAll(w.r); err != nil {
		w.t.Errorf("still open: %v (%q)", err, rest)
	}
}

func TestNothingIsServedBeforeThePassword(t *testing.T) {
	t.Parallel()
	srv := okqdtest.RunT(t, okqdtest.WithPassword("secret"))
	w := dial(t, srv.Addr)
	const refused = "-NOAUTH Authentication required."
	for _, args := range [][]string{{"PING"}, {"QRPOP", "q"}, {"QSTATUS"}, {"NOPE"}, {"CLIENT", "ID"}} {
		w.want(refused, args...)
	}
	w.want("-WRONGPASS invalid username-password pair or user is disabled.", "AUTH", "wrong")
	w.want(refused, "PING")
	w.want("+OK", "AUTH", "any-user", "secret")
	w.want("+PONG", "PING")

	hello := dial(t, srv.Addr)
	hello.send("HELLO", "3")
	if line, _ := hello.r.ReadString('\n'); !strings.HasPrefix(line, "-NOAUTH ") {
		t.Errorf("HELLO without a password: %q", line)
	}
	hello.want("%7", "HELLO", "3", "AUTH", "default", "secret")

	large := dial(t, srv.Addr)
	large.send("AUTH", strings.Repeat("x", 100_000))
	large.wantLine("-ERR Protocol error: invalid bulk length")
	large.wantClosed()

	open := dial(t, okqdtest.RunT(t).Addr)
	open.want("-ERR AUTH called without any password configured", "AUTH", "x")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := selfSigned(t)
	srv := okqdtest.RunT(t, func(c *okqd.Config) { c.TLSCert, c.TLSKey = cert, key })
	nc, err := tls.Dial("tcp", srv.Addr, &tls.Config{RootCAs: pool, ServerName: "okqd.test"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(t, nc)
	w.want("+OK", "QLPUSH", "q", "id", strings.Repeat("x", 100_000))
	w.want("*2", "QRPEEK", "q")

	plain := dial(t, srv.Addr)
	plain.send("PING")
	plain.nc.(*net.TCPConn).CloseWrite()
	if rest, _ := io.ReadAll(plain.r); strings.Contains(string(rest), "PONG") {
		t.Error("served without TLS")
	}
}

// selfSigned makes a certificate for okqd.test.
func selfSigned(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"okqd.test"}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, b []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "EC PRIVATE KEY", keyDER), pool
}

func TestConnectionsAreLimited(t *testing.T) {
	t.Parallel()
	srv := okqdtest.RunT(t, func(c *okqd.Config) { c.MaxConns = 2 })
	a, b := dial(t, srv.Addr), dial(t, srv.Addr)
	a.want("+PONG", "PING")
	b.want("+PONG", "PING")
	c := dial(t, srv.Addr)
	c.want("-ERR max number of clients reached", "PING")
	c.wantClosed()
	a.want("+OK", "QUIT")
	a.wantClosed()
	for {
		d := dial(t, srv.Addr)
		d.send("PING")
		if line, _ := d.r.ReadString('\n'); line == "+PONG\r\n" {
			return
		}
		d.nc.Close()
	}
}

// A client that asks and does not read is cut off, and meanwhile the others are served.
func TestSlowReaderStallsNobody(t *testing.T) {
	t.Parallel()
	srv := okqdtest.RunT(t, func(c *okqd.Config) { c.WriteTimeout = time.Second })
	other := dial(t, srv.Addr)
	other.want("+OK", "QLPUSH", "q", "id", strings.Repeat("x", 1<<20))
	slow := dial(t, srv.Addr)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		peek := command("QRPEEK", "q")
		for {
			if _, err := io.WriteString(slow.nc, peek); err != nil {
				return // cut off
			}
		}
	}()
	for range 50 {
		other.want("+OK", "QLPUSH", "p", "id", "x")
		other.want("*2", "QRPOP", "p", "EX", "0")
		for range 4 {
			other.r.ReadString('\n') //nolint:errcheck // the event
		}
	}
	<-stopped
}

// Commands that have begun are answered when the server is asked to end; those who wait are told nil.
func TestShutdownAnswersWhatHasBegun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := okqdtest.RunT(t, okqdtest.WithDir(dir))
	waiting, idle, busy := dial(t, srv.Addr), dial(t, srv.Addr), dial(t, srv.Addr)
	waiting.want("+OK", "QREGISTER", "q")
	waiting.send("QNOTIFY", "600")
	idle.want("+PONG", "PING")
	acked := make(chan int)
	go func() {
		n := 0
		defer func() { acked <- n }()
		for {
			if _, err := io.WriteString(busy.nc, command("QLPUSH", "busy", fmt.Sprint(n), "x")); err != nil {
				return
			}
			if line, err := busy.r.ReadString('\n'); err != nil || line != "+OK\r\n" {
				return
			}
			n++
		}
	}()
	time.Sleep(50 * time.Millisecond) // so that there is something to interrupt
	begin := time.Now()
	srv.Stop()
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("shutdown took %v", took)
	}
	waiting.wantLine("$-1")
	waiting.wantClosed()
	idle.wantClosed()
	n := <-acked
	again := dial(t, okqdtest.RunT(t, okqdtest.WithDir(dir)).Addr)
	again.want("*1", "QSTATUS", "busy")
	again.wantLine("*6")
	again.wantLine("$4")
	again.wantLine("busy")
	line, _ := again.r.ReadString('\n')
	var total int
	if fmt.Sscanf(line, ":%d", &total); total < n || total > n+1 { //nolint:errcheck // then total is 0
		t.Errorf("%d pushes were acknowledged, %d are there", n, total)
	}
}

func TestFaultsAtStartNameTheFlag(t *testing.T) {
	t.Parallel()
	first := okqdtest.Config(t)
	srv := okqdtest.RunT(t, okqdtest.WithDir(first.Local.Dir))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, opt := range map[string]okqdtest.Option{
		"--data-dir " + first.Local.Dir + " is in use by another process": okqdtest.WithDir(first.Local.Dir),
		"--data-dir":    okqdtest.WithDir(filepath.Join(file, "below")),
		"--listen-addr": okqdtest.WithAddr(srv.Addr),
		"--tls-cert":    func(c *okqd.Config) { c.TLSCert, c.TLSKey = file, file },
	} {
		err := okqd.New(okqdtest.Config(t, opt), zerolog.Nop(), prometheus.NewRegistry()).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want something with %q", err, want)
		}
	}
}

func TestMetricsCount(t *testing.T) {
	t.Parallel()
	srv := okqdtest.RunT(t)
	w := dial(t, srv.Addr)
	w.want("+OK", "QLPUSH", "q", "1", "x")
	w.want("+OK", "QLPUSH", "q", "2", "x")
	w.want("+OK", "QLPUSH", "q\xff", "2", "x")
	w.want("-ERR duplicate event 1", "QLPUSH", "q", "1", "x")
	w.want("*1", "QRPOP", "q", "COUNT", "1")
	w = dial(t, srv.Addr)
	w.want(":1", "QACK", "q", "1", "REDO")
	w.want(":1", "QACK", "q", "1")
	want := `
# HELP okqd_acks_total Events acknowledged.
# TYPE okqd_acks_total counter
okqd_acks_total{queue="\"q\\xff\""} 0
okqd_acks_total{queue="q"} 1
# HELP okqd_pops_total Events popped.
# TYPE okqd_pops_total counter
okqd_pops_total{queue="\"q\\xff\""} 0
okqd_pops_total{queue="q"} 1
# HELP okqd_pushes_total Events pushed.
# TYPE okqd_pushes_total counter
okqd_pushes_total{queue="\"q\\xff\""} 1
okqd_pushes_total{queue="q"} 2
# HELP okqd_queue_ready Events that a pop would give.
# TYPE okqd_queue_ready gauge
okqd_queue_ready{queue="\"q\\xff\""} 1
okqd_queue_ready{queue="q"} 1
# HELP okqd_redos_total Events given back by REDO.
# TYPE okqd_redos_total counter
okqd_redos_total{queue="\"q\\xff\""} 0
okqd_redos_total{queue="q"} 1
`
	err := testutil.GatherAndCompare(srv.Metrics, strings.NewReader(want),
		"okqd_acks_total", "okqd_pops_total", "okqd_pushes_total", "okqd_redos_total", "okqd_queue_ready")
	if err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(srv.Metrics, "okqd_commit_seconds", "okqd_commit_batch_records"); n != 2 || err != nil {
		t.Errorf("commit metrics: %d, %v", n, err)
	}
}

// INFO has all that the metrics have: of the commits, and of each queue.
func TestInfoTellsTheMetrics(t *testing.T) {
	t.Parallel()
	w := dial(t, okqdtest.RunT(t).Addr)
	w.want("+OK", "QLPUSH", "q", "1", "x")
	w.want("+OK", "QLPUSH", "q", "2", "x", "DELAY", "60000")
	w.want("*1", "QRPOP", "q", "COUNT", "1")
	w.nc.Close()
	w = dial(t, w.nc.RemoteAddr().String())
	w.send("INFO")
	var info []string
	for len(info) == 0 || !strings.HasPrefix(info[len(info)-1], `"q":`) {
		line, err := w.r.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %q", err, info)
		}
		info = append(info, strings.TrimSpace(line))
	}
	all := strings.Join(info, "\n") + "\n"
	for _, want := range []string{
		"\nloading:0\n", "\nconnections:", "\ncommit_batch_records_count:", "\ncommit_batch_records_sum:3\n",
		"\ncommit_seconds_count:", "\ncommit_seconds_sum:0.", "\n\"q\":acks=0,",
		",pops=1,", ",pushes=2,", ",redos=0\n", ",depth=2,", ",ready=0", ",leased=1,", ",delayed=1,", ",oldest_ready_seconds=0,",
		",consumers=0,",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("INFO lacks %q:\n%s", want, all)
		}
	}
}

func TestReadyUntilShutdown(t *testing.T) {
	t.Parallel()
	srv := okqd.New(okqdtest.Config(t), zerolog.Nop(), prometheus.NewRegistry())
	if srv.Ready(t.Context()) == nil {
		t.Error("ready before it listens")
	}
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := srv.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := srv.Run(ctx); err != nil {
		t.Error(err)
	}
	if srv.Ready(t.Context()) == nil {
		t.Error("ready after it ended")
	}
}
