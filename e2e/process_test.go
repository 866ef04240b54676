package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binaries is the folder that TestMain built all commands into.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "postmaster-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		build := exec.Command("go", "build", "-o", dir, "../cmd/...")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		binaries = dir
		return m.Run()
	}())
}

// A process is a running binary whose log lines are read as they come.
type process struct {
	t    *testing.T
	name string
	args []string
	env  []string
	cmd  *exec.Cmd
	addr string // where it listens; empty for pm-worker
	ops  string // its ops endpoint

	addrs map[string]string // all of them, by component

	mu  sync.Mutex // protects log
	log strings.Builder
}

// command returns the built binary with an environment of its own: nothing of POSTMASTER_ or OKQ_ leaks in.
func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(binaries, name), args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "POSTMASTER_") && !strings.HasPrefix(kv, "OKQ_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	return cmd
}

// start runs a binary until the test ends and waits for its addresses. listeners is how many it has, --ops-addr included.
func start(t *testing.T, listeners int, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, args: args}
	p.startForTest(listeners)
	return p
}

func (p *process) startForTest(listeners int) {
	p.t.Helper()
	p.t.Cleanup(func() {
		p.kill()
		if p.t.Failed() {
			p.t.Logf("log of %s:\n%s", p.name, p.logged())
		}
	})
	p.run(listeners)
}

func (p *process) run(listeners int) {
	p.t.Helper()
	p.cmd, p.addrs = command(p.name, p.args...), map[string]string{}
	p.cmd.Env = append(p.cmd.Env, p.env...)
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	found := make(chan [2]string, 16)
	go p.read(stderr, found)
	deadline := time.After(30 * time.Second)
	for range listeners {
		select {
		case a := <-found:
			p.addrs[a[0]] = a[1]
			if a[0] == "ops" {
				p.ops = a[1]
			} else {
				p.addr = a[1]
			}
		case <-deadline:
			p.t.Fatalf("%s did not listen; its log:\n%s", p.name, p.logged())
		}
	}
}

// read keeps the log and tells each component and address that it says is listened on.
func (p *process) read(r io.Reader, found chan<- [2]string) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		if p.log.Len() < 1<<20 {
			p.log.WriteString(lines.Text() + "\n")
		}
		p.mu.Unlock()
		var line struct{ Message, Addr, Component string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "listening" {
			select {
			case found <- [2]string{line.Component, line.Addr}:
			default:
			}
		}
	}
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// kill is kill -9.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// stop sends SIGTERM and returns the exit status.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("stop %s: %v", p.name, err)
	}
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// eventually polls until true, for at most limit.
func eventually(t *testing.T, limit time.Duration, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
