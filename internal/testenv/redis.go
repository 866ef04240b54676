package testenv

import (
	"bufio"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A RedisProcess is a redis-server of one test's own, with a folder of its own and appendfsync always.
type RedisProcess struct {
	Addr string

	tb     testing.TB
	dir    string
	args   []string // with %PORT%
	cmd    *exec.Cmd
	exited chan struct{}
}

// StartRedis starts one, which ends with the test. settings are flags of redis-server, such as "--maxmemory", "9mb".
func StartRedis(tb testing.TB, settings ...string) *RedisProcess {
	tb.Helper()
	dir := tb.TempDir()
	return startRedis(tb, dir, append([]string{
		"--bind", "127.0.0.1", "--port", "%PORT%", "--dir", dir, "--save", "", "--daemonize", "no", "--logfile", "redis.log",
		"--appendonly", "yes", "--appendfsync", "always",
	}, settings...))
}

// startRedis starts it on a free port. The port may be taken before the server has it, so it tries several.
func startRedis(tb testing.TB, dir string, args []string) *RedisProcess {
	tb.Helper()
	r := &RedisProcess{tb: tb, dir: dir, args: args}
	tb.Cleanup(r.Kill)
	for range 10 {
		r.Addr = FreeAddr(tb)
		if r.start() {
			return r
		}
	}
	tb.Fatal("redis-server does not start: see its log")
	return nil
}

// Start starts it again on the same data and address, and waits until it has read them.
func (r *RedisProcess) Start() {
	r.tb.Helper()
	if !r.start() {
		r.tb.Fatalf("redis-server on %s does not start again", r.Addr)
	}
}

// start returns false if the server ends by itself.
func (r *RedisProcess) start() bool {
	r.tb.Helper()
	args := slices.Clone(r.args)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "%PORT%", portOf(r.Addr))
	}
	r.cmd, r.exited = exec.Command(RedisServer(r.tb), args...), make(chan struct{})
	if err := r.cmd.Start(); err != nil {
		r.tb.Fatalf("start redis-server: %v", err)
	}
	go func(cmd *exec.Cmd, exited chan<- struct{}) {
		defer close(exited)
		cmd.Wait() //nolint:errcheck // it is killed in the end
	}(r.cmd, r.exited)
	for deadline := time.Now().Add(time.Minute); !r.answers(); {
		select {
		case <-r.exited:
			return false
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			r.tb.Fatalf("redis-server on %s does not answer", r.Addr)
		}
	}
	return true
}

// Kill is kill -9.
func (r *RedisProcess) Kill() {
	if r.cmd != nil && r.cmd.Process != nil {
		r.cmd.Process.Kill() //nolint:errcheck // it may have ended already
		<-r.exited
	}
}

// Pause makes it hang until Resume.
func (r *RedisProcess) Pause() { r.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (r *RedisProcess) Resume() { r.signal(syscall.SIGCONT) }

func (r *RedisProcess) signal(s syscall.Signal) {
	r.tb.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.tb.Fatal(err)
	}
}

// answers tells whether this process, and no other one, answers at the address.
func (r *RedisProcess) answers() bool {
	conn, err := net.DialTimeout("tcp", r.Addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second)) //nolint:errcheck // the read tells
	if _, err := conn.Write([]byte("PING\r\nINFO server\r\n")); err != nil {
		return false
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "-LOADING") {
			return false
		}
		if pid, found := strings.CutPrefix(lines.Text(), "process_id:"); found {
			return pid == strconv.Itoa(r.cmd.Process.Pid)
		}
	}
	return false
}

// FreeAddr is an address on loopback that was free a moment ago.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer ln.Close()
	return "127.0.0.1:" + strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}
