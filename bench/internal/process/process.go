// Package process runs the programs that are measured.
package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Build puts programs of the product into dir.
func Build(ctx context.Context, dir string, packages ...string) error {
	return build(ctx, append([]string{"-o", dir}, packages...)...)
}

// BuildReleased does so as the images are built: static, and without symbols.
func BuildReleased(ctx context.Context, dir string, packages ...string) error {
	return build(ctx, append([]string{"-trimpath", "-ldflags", "-s -w", "-o", dir}, packages...)...)
}

func build(ctx context.Context, args ...string) error {
	build := exec.CommandContext(ctx, "go", append([]string{"build"}, args...)...)
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// A Process is a program that runs.
type Process struct {
	Addr string // where it listens
	cmd  *exec.Cmd
}

// Start runs one that logs where it listens, and waits until it does. Where it listens more than once, component is the
// one that Addr is to be of.
func Start(component, path string, args ...string) (*Process, error) {
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
		var entry struct{ Message, Addr, Component string }
		if json.Unmarshal(line, &entry) == nil && entry.Message == "listening" && entry.Component == component {
			go io.Copy(io.Discard, lines)
			return &Process{entry.Addr, cmd}, nil
		}
	}
}

// StartSilent runs one that listens at addr without a word, until it answers ping.
func StartSilent(addr string, ping func() error, path string, args ...string) (*Process, error) {
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{addr, cmd}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := ping()
		if err == nil {
			return p, nil
		}
		if time.Now().After(deadline) {
			p.Stop()
			return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}
}

// Stop asks the process to end and waits for it. It may be called again.
func (p *Process) Stop() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Signal(os.Interrupt)
		p.cmd.Wait()
	}
}

// StopAll stops those that were started; a nil one was not.
func StopAll(processes ...*Process) {
	for _, p := range processes {
		if p != nil {
			p.Stop()
		}
	}
}

// CPUTotal is what the process used from its start to its end, which this is.
func (p *Process) CPUTotal() time.Duration {
	p.Stop()
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// PeakMiB is its largest resident size, and ends it.
func (p *Process) PeakMiB() int64 {
	p.Stop()
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss >> 10 // KiB on Linux
}

// ResidentMiB is its resident size now.
func (p *Process) ResidentMiB() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	var kib float64
	_, err = fmt.Sscan(string(rest), &kib)
	return kib / 1024, err
}

// CPU is what it has used so far.
func (p *Process) CPU() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest) // from field 3 on; 14 and 15 are user and system time in 1/100 s
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err
}
