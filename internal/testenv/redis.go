package testenv

import (
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// A RedisProcess is a redis-server of one test's own, with a folder of its own and appendfsync always.
type RedisProcess struct {
	Addr string

	tb  testing.TB
	dir string
	cmd *exec.Cmd
}

// StartRedis starts one, which ends with the test.
func StartRedis(tb testing.TB) *RedisProcess {
	tb.Helper()
	r := &RedisProcess{tb: tb, dir: tb.TempDir(), Addr: freeAddr(tb)}
	r.Start()
	tb.Cleanup(func() { r.Kill() })
	return r
}

// Kill is kill -9.
func (r *RedisProcess) Kill() {
	r.cmd.Process.Kill() //nolint:errcheck // it may have ended already
	r.cmd.Wait()         //nolint:errcheck // it was killed
}

// Start starts it again on the same data and address, and waits until it has read them.
func (r *RedisProcess) Start() {
	r.tb.Helper()
	_, port, _ := net.SplitHostPort(r.Addr)
	r.cmd = exec.Command(RedisServer(r.tb), "--bind", "127.0.0.1", "--port", port, "--dir", r.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no", "--logfile", "redis.log")
	if err := r.cmd.Start(); err != nil {
		r.tb.Fatalf("start redis-server: %v", err)
	}
	for deadline := time.Now().Add(30 * time.Second); !r.answers(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.tb.Fatalf("redis-server on %s does not answer", r.Addr)
		}
	}
}

func (r *RedisProcess) answers() bool {
	conn, err := net.DialTimeout("tcp", r.Addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	reply := make([]byte, 7)
	conn.SetDeadline(time.Now().Add(time.Second)) //nolint:errcheck // the read tells
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	n, err := conn.Read(reply)
	return err == nil && string(reply[:n]) == "+PONG\r\n"
}

// freeAddr is an address on loopback that was free a moment ago.
func freeAddr(tb testing.TB) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer ln.Close()
	return "127.0.0.1:" + strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}
