package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/internal/okqd/ledger"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// An okqd dies with everything that its clients had popped. Those of another okqd get it when the leases are over, and
// its consumers count no longer after a while.
func TestEventsOfAKilledOkqdComeBackWithTheirLease(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	bin := build(t)
	dies := start(t, bin, t.TempDir(), "--redis-addr", r.Addr)
	lives := start(t, bin, t.TempDir(), "--redis-addr", r.Addr)
	a, b := ledger.Client(dies.addr), ledger.Client(lives.addr)
	defer a.Close()
	defer b.Close()
	do := func(c *redis.Client, args ...any) any {
		t.Helper()
		reply, err := c.Do(t.Context(), args...).Result()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return reply
	}
	do(a, "QREGISTER", "q")
	do(b, "QREGISTER", "q")
	const lease = 2 * time.Second
	do(a, "QLPUSH", "q", "id", "x")
	before := time.Now()
	do(a, "QRPOP", "q", "EX", int(lease.Seconds()))
	after := time.Now()
	woken := make(chan any, 1)
	go func() {
		queue, err := b.Do(t.Context(), "QNOTIFY", 50).Result()
		woken <- fmt.Sprintf("%v %v", queue, err)
	}()
	dies.kill()
	if got := <-woken; got != "q <nil>" {
		t.Errorf("QNOTIFY: %v", got)
	}
	if early := lease - time.Since(before); early > 0 {
		t.Errorf("it came back %v before the lease was over", early)
	}
	t.Logf("it came back %v after the lease's end", time.Since(after)-lease)
	if got := fmt.Sprint(do(b, "QRPOP", "q", "EX", 60, "COUNT", 1)); !strings.HasPrefix(got, "[[id x 2 ") {
		t.Errorf("pop: %s", got)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		row := do(b, "QSTATUS", "q").([]any)[0].([]any)
		if row[3] == int64(1) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the dead okqd's consumer counts still: %v", row)
		}
	}
}

// While a password changes, clients may have the old or the new one. Secrets are read from files, and none is in the log.
func TestPasswordsRotateAndRedisSecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	r.CLI("ACL", "SETUSER", "default", "resetpass", ">of redis")
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	env := []string{
		"OKQ_PASSWORD_FILE=" + file("new, with a comma\nold one\n"), "OKQ_REDIS_PASSWORD_FILE=" + file("of redis\n"),
		"OKQ_REDIS_ADDR=redis://" + r.Addr + "/1",
	}
	p := startEnv(t, env, build(t), t.TempDir())
	for password, right := range map[string]bool{"new, with a comma": true, "old one": true, "new": false, "with a comma": false, "": false} {
		c := ledger.Client(p.addr)
		err := c.Do(t.Context(), "AUTH", password).Err()
		if (err == nil) != right {
			t.Errorf("AUTH %q: %v", password, err)
		}
		if right {
			err := c.Do(t.Context(), "QLPUSH", "q", password, "x").Err()
			if err != nil {
				t.Errorf("push with %q: %v", password, err)
			}
		}
		c.Close()
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	log := strings.Join(<-p.log, "\n")
	for _, secret := range []string{"new, with", "old one", "of redis"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log: %s", secret, log)
		}
	}
}

// okqd migrate is killed at random instants, until it is let finish.
func TestKilledMigrationLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t, "--appendfsync", "no")
	raw := ledger.Client(r.Addr)
	defer raw.Close()
	const n = 20_000
	pipe := raw.Pipeline()
	for i := range n {
		pipe.HSet(t.Context(), "queue:{q}:items", i, "x")
		pipe.LPush(t.Context(), "queue:{q}", i)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	bin := build(t)
	kills := 0
	for patience := 40 * time.Millisecond; ; patience = patience * 5 / 4 {
		ended := exec.Command(bin, "migrate", "--redis-addr", r.Addr)
		var out strings.Builder
		ended.Stdout, ended.Stderr = &out, &out
		if err := ended.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(rand.N(patience), func() { ended.Process.Kill() })
		err := ended.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		if ended.ProcessState.Exited() {
			t.Fatalf("okqd migrate: %v\n%s", err, out.String())
		}
		kills++
	}
	c := ledger.Client(start(t, bin, t.TempDir(), "--redis-addr", r.Addr).addr)
	defer c.Close()
	for next := 0; next < n; {
		events, err := c.Do(t.Context(), "QRPOP", "q", "EX", "0", "COUNT", 1000).Slice()
		if err != nil || len(events) == 0 {
			t.Fatalf("event %d is lost (%v)", next, err)
		}
		for _, ev := range events {
			if id := ev.([]any)[0]; id != fmt.Sprint(next) {
				t.Fatalf("got event %v, want %d", id, next)
			}
			next++
		}
	}
	if got := fmt.Sprint(c.Do(t.Context(), "QSTATUS", "q").Val()); got != "[[q 0 0 0 0 0]]" {
		t.Errorf("after the last: %s", got)
	}
	t.Logf("%d kills", kills)
}
