package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/pkg/okq"
)

// bench is the processes and what is measured on them.
type bench struct {
	dir, storeFlag, storeAt string
	inFlight                int
	okq                     *okq.Client
	okqAddr                 string
	sendgrid                *sendGrid
	stops                   []func()
	sent                    []string // ids of all mails so far
}

func setUp(ctx context.Context, dir, store string, inFlight int) (*bench, error) {
	build := exec.CommandContext(ctx, "go", "build", "-o", dir, "./cmd/okqd", "./cmd/pm-worker")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	b := &bench{dir: dir, inFlight: inFlight, sendgrid: newSendGrid()}
	b.stops = append(b.stops, b.sendgrid.Close)
	switch store {
	case "mongo":
		uri := os.Getenv("PM_TEST_MONGO")
		if uri == "" {
			return nil, errors.New("PM_TEST_MONGO is not set; `make services` starts a server")
		}
		base, query, _ := strings.Cut(uri, "?")
		b.storeFlag, b.storeAt = "--mongo-addr", strings.TrimRight(base, "/")+"/pmbench_"+strings.ToLower(rand.Text())+"?"+query
	case "sqlite":
		b.storeFlag, b.storeAt = "--sqlite", filepath.Join(dir, "pm.db")
	case "none":
		b.storeFlag, b.storeAt = "--sqlite", ""
	default:
		return nil, fmt.Errorf("-store %q", store)
	}
	okqd, err := b.start(ctx, "okqd", "--listen-addr", "127.0.0.1:0", "--ops-addr", "", "--data-dir", filepath.Join(dir, "okq"))
	if err != nil {
		return nil, err
	}
	b.stops = append(b.stops, okqd.stop)
	b.okqAddr = okqd.addr
	b.okq, err = okq.New(okq.Options{Addrs: []string{okqd.addr}})
	return b, err
}

func (b *bench) tearDown() {
	b.okq.Close()
	for _, stop := range b.stops {
		stop()
	}
}

// worker starts a pm-worker; addr is its ops endpoint.
func (b *bench) worker(ctx context.Context, queues string) (*process, error) {
	return b.start(ctx, "pm-worker", "--okq-addr", b.okqAddr, "--ops-addr", "127.0.0.1:0", b.storeFlag, b.storeAt, "--queues", queues,
		"--sendgrid-key", "SG.bench", "--sendgrid-url", b.sendgrid.URL, "--concurrency", fmt.Sprint(b.inFlight))
}

type process struct {
	addr string
	cmd  *exec.Cmd
}

// start runs one of our binaries and waits until it listens.
func (b *bench) start(ctx context.Context, name string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(b.dir, name), args...)
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	found := make(chan string, 1)
	last := ""
	go func() {
		defer close(found)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			var line struct{ Message, Addr string }
			last = cmp.Or(lines.Text(), last)
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "listening" {
				found <- line.Addr
				break
			}
		}
		io.Copy(io.Discard, stderr)
	}()
	select {
	case addr, ok := <-found:
		if !ok {
			return nil, fmt.Errorf("%s: %s", name, last)
		}
		return &process{addr, cmd}, nil
	case <-time.After(20 * time.Second):
		return nil, fmt.Errorf("%s does not listen", name)
	}
}

// stop ends the process and returns the CPU time it took.
func (p *process) stop() { p.cpu() }

func (p *process) cpu() time.Duration {
	p.cmd.Process.Signal(os.Interrupt)
	p.cmd.Wait()
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}
