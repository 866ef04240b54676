package faulttest

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A process is one of our binaries, which can be killed and started again with the same arguments.
type process struct {
	t    *testing.T
	path string
	args []string
	line func([]byte) // sees each line of its log
	cmd  *exec.Cmd
	read sync.WaitGroup
}

// build builds the binaries into a folder of the test's.
func build(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := []string{"build", "-o", dir}
	for _, name := range names {
		args = append(args, "../../../cmd/"+name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

func newProcess(t *testing.T, dir, name string, args ...string) *process {
	p := &process{t: t, path: filepath.Join(dir, name), args: args}
	t.Cleanup(p.kill)
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.path, p.args...)
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.t.Fatalf("start %s: %v", p.path, err)
	}
	p.read.Go(func() { p.readLog(stderr) })
}

// startServer starts a process and returns the address that it listens on.
func (p *process) startServer() string {
	p.t.Helper()
	addr := make(chan string, 1)
	p.line = func(line []byte) {
		var fields struct{ Message, Addr, Component string }
		if json.Unmarshal(line, &fields) == nil && fields.Message == "listening" && fields.Component != "ops" {
			select {
			case addr <- fields.Addr:
			default:
			}
		}
	}
	p.start()
	select {
	case a := <-addr:
		return a
	case <-time.After(30 * time.Second):
		p.t.Fatalf("%s does not listen", p.path)
		return ""
	}
}

// readLog keeps what the process said last, for when the test fails.
func (p *process) readLog(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if p.line != nil {
			p.line(lines.Bytes())
		}
	}
}

// kill is kill -9.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Signal(os.Kill)
	p.read.Wait()
	p.cmd.Wait()
	p.cmd = nil
}
