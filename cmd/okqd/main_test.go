package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/internal/okqd/ledger"
)

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{}) // what is killed refuses connections; that is no news
	os.Exit(m.Run())
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func TestWrongFlagsAreNamed(t *testing.T) {
	t.Parallel()
	bin := build(t)
	for flag, args := range map[string][]string{
		"--max-bulk":            {"--max-bulk", "5"},
		"--tls-key":             {"--tls-cert", "x"},
		"--data-dir":            {"--data-dir", ""},
		"--listen-addr":         {"--listen-addr", "nonsense"},
		"--max-conns":           {"--max-conns", "0"},
		"--write-timeout":       {"--write-timeout", "0s"},
		"--nonsense":            {"--nonsense"},
		"--redis-addr":          {"--redis-addr", "nonsense"},
		"--redis-cluster":       {"--redis-cluster"},
		"--redis-username":      {"--redis-username", "u", "--redis-addr", "127.0.0.1:1"},
		"--redis-db":            {"--redis-db", "-1", "--redis-addr", "127.0.0.1:1"},
		"--redis-tls-ca":        {"--redis-tls-ca", "nowhere.pem", "--redis-addr", "rediss://127.0.0.1:1"},
		"--password":            {"--password", ""},
		"--redis-wait":          {"--redis-wait", "-1", "--redis-addr", "127.0.0.1:1"},
		"--partitions":          {"--partitions", "0", "--redis-addr", "127.0.0.1:1"},
		"--redis-sentinel-addr": {"migrate"},
	} {
		out, err := exec.CommandContext(t.Context(), bin, args...).CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if err == nil || len(lines) != 1 || !strings.Contains(lines[0], flag) {
			t.Errorf("okqd %v: %v\n%s", args, err, out)
		}
	}
}

func TestPasswordFromAFileAndGracefulEnd(t *testing.T) {
	t.Parallel()
	secret := t.TempDir() + "/secret"
	if err := os.WriteFile(secret, []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startEnv(t, []string{"OKQ_PASSWORD_FILE=" + secret}, build(t), t.TempDir())
	c := ledger.Client(p.addr)
	defer c.Close()
	if err := c.Do(t.Context(), "QSTATUS").Err(); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
		t.Errorf("without the password: %v", err)
	}
	if err := c.Do(t.Context(), "AUTH", "hush").Err(); err != nil {
		t.Error(err)
	}
	if err := c.Do(t.Context(), "QLPUSH", "q", "id", "x").Err(); err != nil {
		t.Error(err)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	log := <-p.log
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	if all := strings.Join(log, "\n"); strings.Contains(all, "hush") {
		t.Errorf("the password is in the log: %s", all)
	}
}
