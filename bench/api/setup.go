package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// system is the processes that are measured.
type system struct {
	dir             string
	okqd, api, bare *process
}

func setUp(ctx context.Context) (_ *system, err error) {
	s := &system{}
	defer func() {
		if err != nil {
			s.tearDown()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "pm-bench-"); err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", s.dir, "./cmd/okqd", "./cmd/pm-api")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	s.okqd, err = start(filepath.Join(s.dir, "okqd"), "--listen-addr", "127.0.0.1:0", "--ops-addr", "", "--data-dir", filepath.Join(s.dir, "okq"))
	if err != nil {
		return nil, err
	}
	s.api, err = start(filepath.Join(s.dir, "pm-api"), "--listen-addr", "127.0.0.1:0", "--ops-addr", "", "--okq-addr", s.okqd.addr)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s.bare, err = start(self, "-yardstick")
	return s, err
}

func (s *system) tearDown() {
	for _, p := range []*process{s.api, s.bare, s.okqd} {
		if p != nil {
			p.stop()
		}
	}
	os.RemoveAll(s.dir)
}

type process struct {
	addr string
	cmd  *exec.Cmd
}

// start runs a program and waits until it listens.
func start(path string, args ...string) (*process, error) {
	cmd := exec.Command(path, args...)
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			cmd.Wait()
			return nil, fmt.Errorf("%s does not listen: %s", filepath.Base(path), line)
		}
		var entry struct{ Message, Addr string }
		if json.Unmarshal(line, &entry) == nil && entry.Message == "listening" {
			go io.Copy(os.Stderr, lines)
			return &process{entry.Addr, cmd}, nil
		}
	}
}

func announce(addr net.Addr) { fmt.Fprintf(os.Stderr, `{"message":"listening","addr":%q}`+"\n", addr) }

// stop ends the process, so that its resource usage is known. It may be called again.
func (p *process) stop() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Signal(os.Interrupt)
		p.cmd.Wait()
	}
}

// cpuPer is in microseconds, and ends the process.
func (p *process) cpuPer(results []result) float64 {
	p.stop()
	calls := 0
	for _, r := range results {
		calls += len(r.latencies)
	}
	cpu := p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	return float64(cpu.Microseconds()) / float64(max(calls, 1))
}

func (p *process) peakMiB() int64 {
	p.stop()
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss >> 10 // KiB on Linux
}
