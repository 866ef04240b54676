package redis_test

import (
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/okqd"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// With --redis-wait an answered push is on a replica.
func TestWaitMeansThatAReplicaHasIt(t *testing.T) {
	t.Parallel()
	master := testenv.StartRedis(t)
	replica := testenv.StartReplica(t, master)
	awaitReplicas(t, master, 1)
	c := dial(t, okqdtest.RunT(t, okqdtest.WithRedis(master.Addr), waiting(1)).Addr)
	want(t, c, "OK", "QLPUSH q id x")
	if got := strings.TrimSpace(replica.CLI("HGET", "okq:{q:q}:contents", "id")); got != "x" {
		t.Errorf("the replica has %q", got)
	}
	replica.Pause()
	if got := do(t, c, "QLPUSH q late x"); !strings.HasPrefix(got, "ERR ") {
		t.Errorf("push without a replica: %s", got)
	}
	replica.Resume()
	eventually(t, "the retried push is known to be there", func() bool {
		return do(t, c, "QLPUSH q late x") == "ERR duplicate event late"
	})
	want(t, c, "[[id x 1] [late x 1]]", "QRPOP q EX 60 COUNT 9")
}

func waiting(replicas int) okqdtest.Option {
	return func(c *okqd.Config) { c.Redis.Wait = replicas }
}

func awaitReplicas(t *testing.T, master *testenv.RedisProcess, n int) {
	t.Helper()
	eventually(t, "the replicas follow", func() bool {
		return strings.Count(master.CLI("INFO", "replication"), "state=online") == n
	})
}

// The master dies with kill -9 under load; a Sentinel makes one of two replicas the master. With --redis-wait 1 nothing
// that was answered is lost, for Sentinel takes the replica that has most.
func TestSentinelFailoverLosesNothingWithRedisWait(t *testing.T) {
	t.Parallel()
	master := testenv.StartRedis(t)
	testenv.StartReplica(t, master)
	testenv.StartReplica(t, master)
	awaitReplicas(t, master, 2)
	sentinels := testenv.StartSentinels(t, 3, "okq", master)
	bySentinel := func(c *okqd.Config) {
		c.Redis.SentinelAddr, c.Redis.SentinelGroup = strings.Join(sentinels, ","), "okq"
	}
	a, b := okqdtest.RunT(t, bySentinel, waiting(1)), okqdtest.RunT(t, bySentinel, waiting(1))
	w := startLoad(t, a.Addr, b.Addr)
	w.progress(200)
	master.Kill()
	w.progress(200)
	w.end()
	w.l.Drain(t, b.Addr)
	w.l.Check(t)
	t.Log(w.l)
}
