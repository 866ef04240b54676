package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// all are the five programs, each with flags that it could start with.
func all(t *testing.T) map[string][]string {
	dir := t.TempDir()
	return map[string][]string{
		"pm-api":     {"--listen-addr", "127.0.0.1:0"},
		"pm-worker":  {"--sendgrid-key", "SG.x"},
		"pm-hooks":   {"--webhook-addr", "127.0.0.1:0"},
		"okqd":       {"--listen-addr", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "okq")},
		"postmaster": {"serve", "--sendgrid-key", "SG.x", "--data-dir", filepath.Join(dir, "serve"), "--listen-addr", "127.0.0.1:0"},
	}
}

// refused runs a binary that must not start, and wants one line on stderr that contains names.
func refused(t *testing.T, names, binary string, env []string, args ...string) {
	t.Helper()
	cmd := process.Command(binary, args...)
	cmd.Env = append(cmd.Env, env...)
	out, _ := cmd.CombinedOutput()
	var lines []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "{") { // the log
			lines = append(lines, line)
		}
	}
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("%s %v: exit %d, want 1", binary, args, code)
	}
	if len(lines) != 1 || !strings.Contains(lines[0], names) {
		t.Errorf("%s %v said %q, want one line with %q", binary, args, out, names)
	}
}

func TestAWrongFlagIsOneLineAndExit1(t *testing.T) {
	t.Parallel()
	for binary, args := range all(t) {
		t.Run(binary, func(t *testing.T) {
			t.Parallel()
			refused(t, "--no-such-flag", binary, nil, append(args, "--no-such-flag")...)
			refused(t, "--log-level", binary, nil, append(args, "--log-level", "loud")...)
		})
	}
}

func TestABusyPortIsOneLineAndExit1(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	listens := map[string]string{"pm-api": "--listen-addr", "pm-hooks": "--webhook-addr", "okqd": "--listen-addr", "postmaster": "--listen-addr"}
	for binary, args := range all(t) {
		args = append(args, "--ops-addr", "127.0.0.1:0")
		if flag := listens[binary]; flag != "" {
			refused(t, flag, binary, nil, append(args, flag, busy.Addr().String())...)
		}
		refused(t, "--ops-addr", binary, nil, append(args, "--ops-addr", busy.Addr().String())...)
	}
}

func TestAnUnreachableMongoIsWaitedForAndItsPasswordNotTold(t *testing.T) {
	t.Parallel()
	for _, binary := range []string{"pm-api", "pm-worker", "postmaster"} {
		t.Run(binary, func(t *testing.T) {
			t.Parallel()
			args := append(all(t)[binary], "--ops-addr", "127.0.0.1:0", "--mongo-addr", "mongodb://user:geheim@127.0.0.1:1/")
			p := process.Start(t, 1, binary, args...) // its ops endpoint
			process.Eventually(t, time.Minute, "the store is named in the log", func() bool { return strings.Contains(p.Log(), "127.0.0.1:1") })
			if code := p.Stop(); code != 0 {
				t.Errorf("exit %d after SIGTERM, want 0", code)
			}
			if strings.Contains(p.Log(), "geheim") {
				t.Errorf("the password is in %q", p.Log())
			}
		})
	}
}

func TestAMissingKeyIsOneLineAndExit1(t *testing.T) {
	t.Parallel()
	refused(t, "--sendgrid-key", "pm-worker", nil)
	refused(t, "--sendgrid-key", "postmaster", nil, "serve")
	refused(t, "--webhook-public-key", "pm-hooks", []string{"POSTMASTER_WEBHOOK_PUBLIC_KEY=bm90IGEga2V5"})
}

func TestSIGTERMWhileItStartsIsExit0(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, binary := range []string{"pm-api", "pm-worker"} {
		args := append(all(t)[binary], "--ops-addr", "127.0.0.1:0", "--mongo-addr", silent.Addr().String())
		p := process.Start(t, 1, binary, args...) // its ops endpoint
		if code := p.Stop(); code != 0 {
			t.Errorf("%s: exit %d after SIGTERM, want 0; its log:\n%s", binary, code, p.Log())
		}
	}
}

func TestVersionIsNameAndVersion(t *testing.T) {
	t.Parallel()
	for binary := range all(t) {
		out, err := process.Command(binary, "--version").Output()
		if words := strings.Fields(string(out)); err != nil || len(words) != 2 || words[0] != binary {
			t.Errorf("%s --version said %q, %v", binary, out, err)
		}
	}
}
