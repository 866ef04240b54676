package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// StartReplica starts a Redis that copies master.
func StartReplica(tb testing.TB, master *RedisProcess) *RedisProcess {
	tb.Helper()
	return StartRedis(tb, "--replicaof", "127.0.0.1", portOf(master.Addr), "--repl-diskless-sync-delay", "0")
}

// StartSentinels starts so many Sentinels that watch master under the name. They take it for dead after a second.
func StartSentinels(tb testing.TB, n int, name string, master *RedisProcess) (addrs []string) {
	tb.Helper()
	for range n {
		dir := tb.TempDir()
		config := filepath.Join(dir, "sentinel.conf") // Sentinel keeps there what it learns
		lines := fmt.Sprintf("bind 127.0.0.1\ndir %s\nlogfile sentinel.log\nsentinel monitor %s 127.0.0.1 %s %d\n"+
			"sentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 5000\n",
			dir, name, portOf(master.Addr), n/2+1, name, name)
		if err := os.WriteFile(config, []byte(lines), 0o600); err != nil {
			tb.Fatal(err)
		}
		addrs = append(addrs, startRedis(tb, dir, []string{config, "--sentinel", "--port", "%PORT%"}).Addr)
	}
	return addrs
}

// StartCluster starts a Redis Cluster of so many masters, each with so many replicas. A node is taken for dead after
// two seconds.
func StartCluster(tb testing.TB, masters, replicas int) []*RedisProcess {
	tb.Helper()
	var nodes []*RedisProcess
	args := []string{"--cluster-yes", "--cluster", "create"}
	for range masters * (1 + replicas) {
		node := StartRedis(tb, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
			"--cluster-port", portOf(FreeAddr(tb)), "--repl-diskless-sync-delay", "0")
		nodes = append(nodes, node)
		args = append(args, node.Addr)
	}
	args = append(args, "--cluster-replicas", fmt.Sprint(replicas))
	if out, err := exec.CommandContext(tb.Context(), "redis-cli", args...).CombinedOutput(); err != nil {
		tb.Fatalf("redis-cli --cluster create: %v\n%s", err, out)
	}
	for _, node := range nodes {
		wait(tb, "the cluster is one", func() bool { return strings.Contains(node.CLI("CLUSTER", "INFO"), "cluster_state:ok") })
	}
	return nodes
}

// CLI is what redis-cli prints.
func (r *RedisProcess) CLI(args ...string) string {
	r.tb.Helper()
	out, err := r.TryCLI(args...)
	if err != nil {
		r.tb.Fatalf("redis-cli %v: %v\n%s", args, err, out)
	}
	return out
}

// TryCLI is CLI for a server that may be down.
func (r *RedisProcess) TryCLI(args ...string) (string, error) {
	out, err := exec.Command("redis-cli", append([]string{"-p", portOf(r.Addr)}, args...)...).CombinedOutput()
	return string(out), err
}

func wait(tb testing.TB, what string, until func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !until(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("it never came to this: %s", what)
		}
	}
}
