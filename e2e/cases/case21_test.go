package cases

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// injectSyncs has strace do something to each fdatasync of a program, until stop is called or the test ends.
func injectSyncs(t *testing.T, p *process.Process, what string) (stop func()) {
	t.Helper()
	cmd := exec.Command(testenv.Program(t, "strace"), "-f", "-p", strconv.Itoa(p.Cmd.Process.Pid), "-e", "trace=fdatasync",
		"-e", "inject=fdatasync:"+what, "-o", "/dev/null")
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	stop = func() { cmd.Process.Kill(); cmd.Wait() } //nolint:errcheck // it ends either way
	t.Cleanup(stop)
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() || !strings.Contains(lines.Text(), "attached") {
		t.Fatalf("strace: %s", lines.Text())
	}
	go io.Copy(io.Discard, stderr) //nolint:errcheck // it says what it attaches to
	return stop
}

// okqdOnSlowDisk starts okqd with four events and delays its syncs.
func okqdOnSlowDisk(t *testing.T, syncTime time.Duration) (p *process.Process, c *redis.Client, stop func()) {
	t.Helper()
	testenv.Root(t, "strace -p")
	p = process.Start(t, 2, "okqd", "--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", filepath.Join(t.TempDir(), "okq"))
	c = redis.NewClient(&redis.Options{Addr: p.Addr, MaxRetries: -1, ReadTimeout: 20 * time.Second, ContextTimeoutEnabled: true})
	t.Cleanup(func() { c.Close() })
	for _, id := range []string{"a", "b", "c", "d"} {
		if err := c.Do(t.Context(), "QLPUSH", "q", id, "x").Err(); err != nil {
			t.Fatal(err)
		}
	}
	return p, c, injectSyncs(t, p, fmt.Sprintf("delay_enter=%d", syncTime.Microseconds()))
}

// On a disk whose sync takes longer than the slack of a lease, QRPOP once renewed the lease for ever and never answered.
func TestCase21SlowDiskAnswersAndLeasesEnd(t *testing.T) {
	t.Parallel()
	for _, syncTime := range []time.Duration{105 * time.Millisecond, 2 * time.Second} {
		t.Run(syncTime.String(), func(t *testing.T) {
			t.Parallel()
			r := &rig{t: t}
			p, c, _ := okqdOnSlowDisk(t, syncTime)
			pop := func() (string, time.Duration) {
				begin := time.Now()
				reply, err := c.Do(t.Context(), "QRPOP", "q", "EX", 3, "COUNT", 1).Result()
				if err != nil {
					r.came("QRPOP: %v after %v", err, time.Since(begin).Round(10*time.Millisecond))
					t.Fatalf("QRPOP: %v", err)
				}
				return fmt.Sprint(reply), time.Since(begin)
			}
			event, took := pop()
			r.came("QRPOP %s after %v", event, took.Round(10*time.Millisecond))
			if !strings.HasPrefix(event, "[[a x 1") || took > 4*syncTime+time.Second {
				t.Errorf("QRPOP: %s after %v", event, took)
			}
			told := time.Now()

			leave(t, p.Addr, command("QRPOP", "q", "EX", "3600"))
			eventually(t, 20*time.Second, "the event of a client that left is ready again", func() bool { return status(t, c) == "[[q 4 1 0]]" })
			if event, _ := pop(); !strings.HasPrefix(event, "[[b x 1") {
				t.Errorf("after its client left: %s", event)
			}

			eventually(t, 20*time.Second, "leases end", func() bool { return status(t, c) == "[[q 4 0 0]]" })
			if lasted := time.Since(told); lasted < 3*time.Second {
				t.Errorf("the lease lasted %v", lasted)
			}

			if n := slowCommits(t, p.Ops); n < 2 {
				t.Errorf("the metrics tell of %d slow commits", n)
			}
			go c.Do(context.Background(), "QLPUSH", "q", "last", "x")
			begin := time.Now()
			if status := p.Stop(); status != 0 || time.Since(begin) > 15*time.Second {
				t.Errorf("exit %d, %v after SIGTERM", status, time.Since(begin))
			}
		})
	}
}

// A disk that does not answer at all: okqd says so, and SIGTERM ends it.
func TestCase21HungDiskIsToldAndStopsNobody(t *testing.T) {
	t.Parallel()
	r := &rig{t: t}
	p, c, stop := okqdOnSlowDisk(t, time.Hour)
	go c.Do(context.Background(), "QLPUSH", "q", "e", "x")
	eventually(t, 30*time.Second, "/readyz says that the disk does not answer", func() bool {
		resp, err := http.Get("http://" + p.Ops + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(body), "disk does not answer")
	})
	p.Signal(syscall.SIGTERM)
	begin := time.Now()
	told := func() bool { return strings.Contains(p.Log(), "stopped after") }
	for !told() && time.Since(begin) < 30*time.Second {
		time.Sleep(20 * time.Millisecond)
	}
	r.came("stopped %v after SIGTERM: %v", time.Since(begin).Round(time.Second), told())
	if !told() {
		t.Fatal("okqd goes on")
	}
	stop() // a process cannot end while strace holds a thread of it
	p.Cmd.Wait()
	if status := p.Cmd.ProcessState.ExitCode(); status != 1 {
		t.Errorf("exit %d", status)
	}
}

// leave sends a command and closes the connection.
func leave(t *testing.T, addr, command string) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Write([]byte(command)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // okqd has begun it
}

// status is the queue's name, total, leased and consumers.
func status(t *testing.T, c *redis.Client) string {
	t.Helper()
	reply, err := c.Do(t.Context(), "QSTATUS", "q").Slice()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint([]any{reply[0].([]any)[:4]})
}

// slowCommits tells from the metrics how many commits took longer than 61 ms.
func slowCommits(t *testing.T, ops string) (n int) {
	t.Helper()
	resp, err := http.Get("http://" + ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		count, _ := strconv.Atoi(value)
		switch {
		case name == "okqd_commit_seconds_count":
			n += count
		case strings.HasPrefix(name, `okqd_commit_seconds_bucket{le="0.06`):
			n -= count
		}
	}
	return n
}
