package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
)

// binary is pm-hooks itself, without the race detector, which takes several times the memory.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "pm-hooks-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "pm-hooks")
		if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build pm-hooks: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

func program(args ...string) *exec.Cmd { return exec.Command(binary, args...) }

func TestFaultsAreOneLineThatNamesTheFlag(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env, args, want string
	}{
		{"", "--nonsense", "unknown flag: --nonsense"},
		{"", "--webhook-public-key=x", "--webhook-public-key: not base64"},
		{"POSTMASTER_WEBHOOK_PUBLIC_KEY=aGVsbG8=", "", "--webhook-public-key: not a public key"},
		{"POSTMASTER_WEBHOOK_WINDOW=soon", "", "POSTMASTER_WEBHOOK_WINDOW (--webhook-window)"},
		{"", "--webhook-addr=127.0.0.1:0 --ops-addr= --tls-cert=/nowhere --tls-key=/nowhere", "--tls-cert: "},
		{"", "--webhook-addr=256.0.0.1:0 --ops-addr=", "--webhook-addr: "},
		{"", "--unsubscribe-url=https://example.com/u", "--unsubscribe-secret"},
		{"POSTMASTER_WEBHOOK_PASS_FILE=/nowhere", "", "POSTMASTER_WEBHOOK_PASS_FILE (--webhook-pass)"},
		{"", "--accept-env=", "--accept-env"},
	} {
		cmd := program(strings.Fields(c.args)...)
		if c.env != "" {
			cmd.Env = append(os.Environ(), c.env)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		text := stderr.String()
		if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(text, "pm-hooks: ") || !strings.Contains(text, c.want) || strings.Count(text, "\n") != 1 {
			t.Errorf("%s %s: %v, %q; want one line with %q", c.env, c.args, err, text, c.want)
		}
	}
}

// process is a pm-hooks that runs.
type process struct {
	cmd *exec.Cmd
	url string
}

func start(t *testing.T, okqAddr string, args ...string) process {
	t.Helper()
	cmd := program(append([]string{"--okq-addr", okqAddr, "--webhook-addr", "127.0.0.1:0", "--ops-addr", ""}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("no address in the log: %v", err)
		}
		var entry struct{ Component, Addr, Message string }
		if json.Unmarshal(line, &entry) == nil && entry.Component == "webhook" && entry.Message == "listening" {
			go io.Copy(io.Discard, lines)
			return process{cmd, "http://" + entry.Addr}
		}
	}
}

func TestSIGTERMEndsWithZero(t *testing.T) {
	t.Parallel()
	p := start(t, okqdtest.RunT(t).Addr)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
}

// TestMemoryIsBoundedUnderAFlood posts 8 MiB a hundred times at once, each until it is taken, as SendGrid would.
func TestMemoryIsBoundedUnderAFlood(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("reads the peak of a process' memory from /proc")
	}
	p := start(t, okqdtest.RunT(t).Addr)
	const limit = 256 << 20 // --max-held-bytes, as much again of what is kept of them, that twice for the collector, twice for a slow one
	event := `{"event":"open","email":"alex@example.com","timestamp":1767225600,"pmStatsID":"6920d5c40000000000000001"},`
	var wg sync.WaitGroup
	var refused atomic.Int64
	for i := range 100 {
		wg.Go(func() {
			body := flood(i, event)
			for {
				resp, err := http.Post(p.url, "application/json", bytes.NewReader(body))
				if err == nil {
					resp.Body.Close()
					if resp.StatusCode == http.StatusOK {
						return
					}
				}
				if refused.Add(1) > 100_000 {
					t.Errorf("never taken; lately %v, %v", resp, err)
					return
				}
				time.Sleep(rand.N(2 * time.Second)) // so that they do not all come again at once
			}
		})
	}
	wg.Wait()
	peak := peakMemory(t, p.cmd.Process.Pid)
	t.Logf("peak %d MiB, %d POSTs refused", peak>>20, refused.Load())
	if peak > limit {
		t.Errorf("peak of %d MiB, want at most %d", peak>>20, limit>>20)
	}
}

// flood writes 8 MiB of events, different for each i.
func flood(i int, event string) []byte {
	const size = 8 << 20
	first := fmt.Sprintf(`[{"n":%d},`, i)
	n := (size - len(first) - 1) / len(event)
	b := make([]byte, 0, size)
	b = append(b, first...)
	b = append(b, strings.Repeat(event, n)...)
	b[len(b)-1] = ']'
	return b
}

func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		t.Fatal("no VmHWM in /proc")
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
