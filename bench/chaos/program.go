package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A program is one process, which is started again whenever it ends, as systemd or Kubernetes would.
type program struct {
	name string
	path string
	args []string
	read func(line []byte) // sees each line of its log; may be nil

	mu     sync.Mutex // protects the fields below
	cmd    *exec.Cmd  // nil: it does not run
	held   bool       // a fault keeps it down
	ours   bool       // its end was our doing
	ends   int        // by itself
	panics []string   // what it said at those that must never be
	last   [][]byte   // lines of its log
}

const (
	restartAfter = 300 * time.Millisecond
	lastLines    = 30
)

// supervise runs the program until ctx ends, and then asks it to stop.
func (p *program) supervise(ctx context.Context) {
	defer context.AfterFunc(ctx, func() { p.signal(syscall.SIGCONT); p.signal(syscall.SIGTERM) })()
	for ctx.Err() == nil {
		if !p.isHeld() {
			if err := p.runOnce(); err != nil {
				fmt.Printf("%s: %v\n", p.name, err)
			}
		}
		sleep(ctx, restartAfter)
	}
}

// runOnce returns when the process has ended.
func (p *program) runOnce() error {
	cmd := exec.Command(p.path, p.args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	p.mu.Lock()
	err = cmd.Start()
	p.cmd, p.ours = cmd, false
	p.mu.Unlock()
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.heard(lines.Bytes())
	}
	err = cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = nil
	if err == nil || p.ours {
		return nil
	}
	p.ends++
	if text := bytes.Join(p.last, []byte("\n")); bytes.Contains(text, []byte("panic: ")) || bytes.Contains(text, []byte("fatal error: ")) {
		p.panics = append(p.panics, string(text))
	}
	return nil
}

func (p *program) heard(line []byte) {
	p.mu.Lock()
	p.last = append(p.last, slices.Clone(line))
	p.last = p.last[max(0, len(p.last)-lastLines):]
	p.mu.Unlock()
	if p.read != nil {
		p.read(line)
	}
}

// pid returns its process, 0 while it does not run.
func (p *program) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

func (p *program) isHeld() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// endings is how often the program ended by itself, and what it said at panics.
func (p *program) endings() (ends int, panics []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ends, slices.Clone(p.panics)
}

// kill is kill -9; the program stays down until release.
func (p *program) kill() {
	p.hold(true)
	p.signal(syscall.SIGKILL)
}

// terminate is SIGTERM; the program is started again once it has ended.
func (p *program) terminate() { p.signal(syscall.SIGTERM) }

func (p *program) release() { p.hold(false) }

// pause makes it hang until resume.
func (p *program) pause()  { p.signal(syscall.SIGSTOP) }
func (p *program) resume() { p.signal(syscall.SIGCONT) }

func (p *program) hold(held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
}

func (p *program) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	if s == syscall.SIGKILL || s == syscall.SIGTERM {
		p.ours = true
	}
	p.cmd.Process.Signal(s) // it may have ended by itself, which is what the signal is for
}

// sleep returns early when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
