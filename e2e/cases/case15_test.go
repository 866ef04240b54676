package cases

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// secretVariables are those of each program.
var secretVariables = map[string][]string{
	"okqd":      {"OKQ_PASSWORD", "OKQ_REDIS_PASSWORD", "OKQ_PPROF_PASS"},
	"pm-api":    {"POSTMASTER_API_TOKEN", "POSTMASTER_OKQ_PASSWORD"},
	"pm-worker": {"POSTMASTER_SENDGRID_KEY", "POSTMASTER_OKQ_PASSWORD", "POSTMASTER_UNSUBSCRIBE_SECRET"},
	"pm-hooks":  {"POSTMASTER_WEBHOOK_PASS", "POSTMASTER_WEBHOOK_PUBLIC_KEY", "POSTMASTER_OKQ_PASSWORD", "POSTMASTER_UNSUBSCRIBE_SECRET"},
}

// A secret that is set but empty, or an empty file of one, stops the start.
func TestCase15AnEmptySecretIsRefused(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for program, variables := range secretVariables {
		for _, variable := range variables {
			for _, setting := range []string{variable + "=", variable + "= ", variable + "_FILE=" + empty} {
				status, stderr := tryStart(t, program, []string{setting}, startFlags(program, dir)...)
				t.Logf("came: %s with %q: exit %d, %s", program, setting, status, stderr)
				if status != 1 || !strings.Contains(stderr, variable) || strings.Count(stderr, "\n") != 1 {
					t.Errorf("%s with %q: exit %d, %q; want exit 1 and one line that names the variable", program, setting, status, stderr)
				}
			}
		}
	}
}

// Where other machines can connect, a credential is needed.
func TestCase15AListenerForOtherMachinesNeedsACredential(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		program string
		flags   []string
		names   string // the flag at fault; empty: it starts
	}{
		{"okqd", []string{"--listen-addr", "0.0.0.0:0"}, "--listen-addr"},
		{"okqd", []string{"--listen-addr", ":0", "--insecure"}, ""},
		{"okqd", []string{"--listen-addr", ":0", "--password", "a-password-of-some-length"}, ""},
		{"okqd", []string{"--ops-addr", ":0"}, ""},
		{"okqd", []string{"--ops-addr", ":0", "--pprof"}, "--ops-addr"},
		{"okqd", []string{"--ops-addr", ":0", "--pprof", "--pprof-pass", "a-password-of-some-length"}, ""},
		{"pm-api", []string{"--listen-addr", "[::]:0"}, "--listen-addr"},
		{"pm-api", []string{"--listen-addr", ":0", "--api-token", "token"}, ""},
		{"pm-hooks", []string{"--webhook-addr", ":0"}, "--webhook-addr"},
		{"pm-hooks", []string{"--webhook-addr", ":0", "--webhook-pass", "pass"}, ""},
	} {
		status, stderr := tryStart(t, c.program, nil, append(startFlags(c.program, dir), c.flags...)...)
		t.Logf("came: %s %v: exit %d", c.program, c.flags, status)
		if c.names != "" && (status != 1 || !strings.Contains(stderr, c.names+":") || strings.Count(stderr, "\n") != 1) {
			t.Errorf("%s %v: exit %d, %q; want exit 1 and one line with %s", c.program, c.flags, status, stderr, c.names)
		}
		if c.names == "" && status != 0 {
			t.Errorf("%s %v: exit %d, %q; want it to start", c.program, c.flags, status, stderr)
		}
		if strings.Contains(strings.Join(c.flags, " "), "--insecure") && !strings.Contains(stderr, "--insecure") {
			t.Errorf("%s %v does not log that it is insecure: %q", c.program, c.flags, stderr)
		}
	}
}

// Callers of 0.4.0 have no tokens: serve with its flags alone serves them, and says so as an error.
func TestCase15ServeWithTheFlagsOf040ServesAndLogsAnError(t *testing.T) {
	dir := t.TempDir()
	old := []string{"serve", "--sendgrid-key", "SG.x", "--listen-addr", "0.0.0.0:0", "--webhook-addr", "0.0.0.0:0", "--webhook-pass", "p"}
	status, stderr := tryStart(t, "postmaster", []string{"POSTMASTER_OPS_ADDR="}, append(old, "--data-dir", dir)...)
	if status != 1 || !strings.Contains(stderr, "--listen-addr") {
		t.Errorf("with a newer flag: exit %d, %q; want it refused", status, stderr)
	}
	// The default ports may be in use here, and then it ends with 1: what counts is that it went that far.
	cmd := process.Command("postmaster", old...)
	cmd.Dir = dir
	_, stderr = runFor(t, cmd, 3*time.Second)
	t.Logf("came: %s", firstLines(stderr))
	if !strings.Contains(stderr, `"level":"error"`) || !strings.Contains(stderr, "without a credential") {
		t.Errorf("no error is logged: %q", stderr)
	}
}

// startFlags are those without which a program does not start, or not on its own ports.
func startFlags(program, dir string) []string {
	switch program {
	case "okqd":
		return []string{"--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", filepath.Join(dir, "okq")}
	case "pm-api":
		return []string{"--listen-addr", anywhere, "--ops-addr", anywhere}
	case "pm-hooks":
		return []string{"--webhook-addr", anywhere, "--ops-addr", anywhere}
	default:
		return []string{"--ops-addr", anywhere}
	}
}

// tryStart runs a program until it has listened, and then stops it: exit status 0 is that it started.
func tryStart(t *testing.T, program string, env []string, args ...string) (status int, stderr string) {
	t.Helper()
	cmd := process.Command(program, args...)
	cmd.Env = append(cmd.Env, env...)
	return runFor(t, cmd, 10*time.Second)
}

// runFor runs a program until it says that its main port listens, or for a time, and stops it.
func runFor(t *testing.T, cmd *exec.Cmd, limit time.Duration) (status int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	log := &watched{cancel: cancel}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	context.AfterFunc(ctx, func() { cmd.Process.Signal(os.Interrupt) }) //nolint:errcheck // it may have ended
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), log.text.String()
}

// watched is a log that stops its program once it listens on more than the ops endpoint.
type watched struct {
	text   strings.Builder
	cancel context.CancelFunc
}

func (w *watched) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) { // a log line is written whole
		if bytes.Contains(line, []byte(`"listening"`)) && !bytes.Contains(line, []byte(`"component":"ops"`)) {
			w.cancel()
		}
	}
	return w.text.Write(p)
}

func firstLines(s string) string { return s[:min(len(s), 400)] }
