package process

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startTimeout is how long a program may take until it listens.
const startTimeout = 30 * time.Second

// A Process is a running program whose log lines are read as they come.
type Process struct {
	Name string
	Args []string
	Env  []string // added to that of Command
	Cmd  *exec.Cmd
	Addr string // where it listens; empty for pm-worker
	Ops  string // its ops endpoint

	Addrs map[string]string // all of them, by component

	tb  testing.TB
	mu  sync.Mutex // protects log
	log strings.Builder
}

// Start runs a program until the test ends, and waits for its addresses. listeners is how many it has, --ops-addr
// included.
func Start(tb testing.TB, listeners int, name string, args ...string) *Process {
	tb.Helper()
	p := New(tb, name, args...)
	p.Run(listeners)
	return p
}

// New is a program that Run starts. It is killed when the test ends, and its log shown if the test failed.
func New(tb testing.TB, name string, args ...string) *Process {
	p := &Process{tb: tb, Name: name, Args: args}
	tb.Cleanup(func() {
		if p.Cmd != nil && p.Cmd.Process != nil {
			p.Kill()
		}
		if tb.Failed() {
			tb.Logf("log of %s:\n%s", p.Name, p.Log())
		}
	})
	return p
}

// Run starts it, again if it has ended.
func (p *Process) Run(listeners int) {
	p.tb.Helper()
	p.Cmd, p.Addrs = Command(p.Name, p.Args...), map[string]string{}
	p.Cmd.Env = append(p.Cmd.Env, p.Env...)
	stderr, err := p.Cmd.StderrPipe()
	if err == nil {
		err = p.Cmd.Start()
	}
	if err != nil {
		p.tb.Fatalf("start %s: %v", p.Name, err)
	}
	found := make(chan [2]string, 16)
	go p.read(stderr, found)
	deadline := time.After(startTimeout)
	for range listeners {
		select {
		case a := <-found:
			p.Addrs[a[0]] = a[1]
			if a[0] == "ops" {
				p.Ops = a[1]
			} else {
				p.Addr = a[1]
			}
		case <-deadline:
			p.tb.Fatalf("%s did not listen; its log:\n%s", p.Name, p.Log())
		}
	}
}

// read keeps the log and tells each component and address that it says is listened on.
func (p *Process) read(r io.Reader, found chan<- [2]string) {
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

// Log is what it has said, as far as it is the first MiB.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Kill is kill -9.
func (p *Process) Kill() {
	p.Cmd.Process.Kill() //nolint:errcheck // it may have ended already
	p.Cmd.Wait()         //nolint:errcheck // it was killed
}

// Signal sends one.
func (p *Process) Signal(s syscall.Signal) {
	p.tb.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.tb.Fatalf("%v to %s: %v", s, p.Name, err)
	}
}

// Stop sends SIGTERM and returns the exit status.
func (p *Process) Stop() int {
	p.tb.Helper()
	p.Signal(syscall.SIGTERM)
	p.Cmd.Wait() //nolint:errcheck // the status tells
	return p.Cmd.ProcessState.ExitCode()
}

// Eventually polls until true, for at most limit.
func Eventually(tb testing.TB, limit time.Duration, what string, true func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(limit); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("not within %v: %s", limit, what)
		}
	}
}
