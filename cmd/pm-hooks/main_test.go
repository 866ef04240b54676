package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

func TestMain(m *testing.M) { os.Exit(process.Main(m, "pm-hooks")) }

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
		cmd := process.Command("pm-hooks", strings.Fields(c.args)...)
		if c.env != "" {
			cmd.Env = append(cmd.Env, c.env)
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

func start(t *testing.T, okqAddr string) *process.Process {
	t.Helper()
	return process.Start(t, 1, "pm-hooks", "--okq-addr", okqAddr, "--webhook-addr", "127.0.0.1:0", "--ops-addr", "")
}

func TestSIGTERMEndsWithZero(t *testing.T) {
	t.Parallel()
	p := start(t, okqdtest.RunT(t).Addr)
	if code := p.Stop(); code != 0 {
		t.Errorf("exit %d", code)
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
				resp, err := http.Post("http://"+p.Addr, "application/json", bytes.NewReader(body))
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
	peak := peakMemory(t, p.Cmd.Process.Pid)
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
