package cases

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// Two okqd with disks of their own are two sets of queues: when the first is away, nothing goes to the second, and each
// process has said since its start that the second is none of its.
func TestTwoOkqdWithDisksOfTheirOwnAreNotTakenForOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.okqd
	second := process.Start(t, 2, "okqd", "--listen-addr", anywhere, "--ops-addr", anywhere, "--data-dir", filepath.Join(r.dir, "second"))
	both := []string{"--okq-addr", first.Addr + "," + second.Addr}
	r.startAPI(both...)
	r.startWorker(both...)
	r.startHooks(both...)
	r.enqueue("one@example.com", "")
	for _, p := range []*process.Process{r.api, r.worker, r.hooks} {
		process.Eventually(t, 10*time.Second, p.Name+" says that the second has other queues", func() bool {
			return strings.Contains(p.Log(), "okq addresses lead to different queues")
		})
	}
	first.Kill()
	answer := r.call("Enqueue", `{"to":"two@example.com","from":"shop@example.org","subject":"Hello","text":"It works."}`)
	if !strings.Contains(answer, "-32002") {
		t.Errorf("an email was queued where it is not looked at: %s", answer)
	}
	r.came("Enqueue while the first okqd is away: %s", answer)
}

// A Redis that evicts is no place for a queue.
func TestOkqdDoesNotStartOnARedisThatEvicts(t *testing.T) {
	t.Parallel()
	redis := testenv.StartRedis(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	cmd := process.Command("okqd", "--redis-addr", redis.Addr, "--listen-addr", anywhere, "--ops-addr", "")
	kill := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() }) //nolint:errcheck // it has ended then
	defer kill.Stop()
	out, _ := cmd.CombinedOutput() // the status tells
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "--redis-addr") || !strings.Contains(string(out), "maxmemory-policy") ||
		!strings.Contains(string(out), "allkeys-lru") {
		t.Errorf("exit status %d: %s", cmd.ProcessState.ExitCode(), out)
	}
	last := strings.TrimSpace(string(out))
	last = last[strings.LastIndex(last, "\n")+1:]
	r := &rig{t: t}
	r.came("okqd on a Redis with allkeys-lru: %s", last)
}
