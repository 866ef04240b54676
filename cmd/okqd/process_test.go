package main

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build builds okqd, with the race detector if this test has it or not: it is the product that is killed.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "okqd")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build okqd: %v\n%s", err, out)
	}
	return bin
}

// process is a running okqd.
type process struct {
	cmd  *exec.Cmd
	addr string
	log  chan []string // all of it, once the process has ended
}

func start(t *testing.T, bin, dir string, flags ...string) *process {
	t.Helper()
	return startEnv(t, nil, bin, dir, flags...)
}

func startEnv(t *testing.T, env []string, bin, dir string, flags ...string) *process {
	t.Helper()
	flags = append([]string{"--listen-addr", "127.0.0.1:0", "--ops-addr", "", "--data-dir", dir, "--min-free", "0"}, flags...)
	p := &process{cmd: exec.Command(bin, flags...), log: make(chan []string, 1)}
	p.cmd.Env = append(p.cmd.Environ(), env...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	listening := make(chan string, 1)
	go p.read(bufio.NewScanner(stderr), listening)
	p.addr = <-listening
	if p.addr == "" {
		t.Fatalf("okqd did not start: %s", strings.Join(<-p.log, "\n"))
	}
	return p
}

// read collects the log. It sends the address, or "" if the process ends without one.
func (p *process) read(lines *bufio.Scanner, listening chan<- string) {
	var all []string
	for lines.Scan() {
		all = append(all, lines.Text())
		var line struct{ Message, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "listening" {
			listening <- line.Addr
		}
	}
	close(listening)
	p.log <- all
}

// kill is kill -9. It may be called again.
func (p *process) kill() {
	p.cmd.Process.Kill() //nolint:errcheck // it has ended already
	p.cmd.Wait()         //nolint:errcheck // it was killed
}
