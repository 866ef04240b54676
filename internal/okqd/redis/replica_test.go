package redis_test

import (
	"strings"
	"sync"
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

// An answer that changes nothing rests on what was changed before. Redis 8 and Valkey do not wait for that by
// themselves, as Redis 7 does.
func TestWaitCoversWhatOthersChanged(t *testing.T) {
	t.Parallel()
	master := testenv.StartRedis(t)
	replica := testenv.StartReplica(t, master)
	awaitReplicas(t, master, 1)
	first := okqdtest.RunT(t, okqdtest.WithRedis(master.Addr), waiting(1)).Addr
	second := okqdtest.RunT(t, okqdtest.WithRedis(master.Addr), waiting(1)).Addr
	a, b := dial(t, first), dial(t, second)
	want(t, a, "OK", "QLPUSH q gone x")
	want(t, a, "OK", "QLPUSH other x x") // so that it is listed
	replica.Pause()
	failing := func(okqd string, commands ...string) {
		t.Helper()
		var wg sync.WaitGroup
		for _, command := range commands {
			wg.Go(func() {
				if got := do(t, dial(t, okqd), command); !strings.HasPrefix(got, "ERR unexpected") {
					t.Errorf("%s, and no replica has it: %s", command, got)
				}
			})
		}
		wg.Wait()
	}
	failing(first, "QLPUSH q late x", "QRPUSH other late x", "QACK q gone")
	failing(second, "QLPUSH q late x", "QRPUSH other late x", "QACK q gone", "QPEEK q late", "QLPEEK q", "QRPEEK other")
	replica.Resume()
	eventually(t, "it is told once the replica has it", func() bool {
		return do(t, b, "QLPUSH q late x") == "ERR duplicate event late"
	})
	want(t, b, "ERR duplicate event late", "QRPUSH other late x")
	want(t, b, "0", "QACK q gone")
}

// So each answer makes a write of its own, on whatever Redis, even one whose memory is full, and leaves nothing behind.
func TestEveryAnswerWithRedisWaitWrites(t *testing.T) {
	t.Parallel()
	master := testenv.StartRedis(t)
	testenv.StartReplica(t, master)
	awaitReplicas(t, master, 1)
	c := dial(t, okqdtest.RunT(t, okqdtest.WithRedis(master.Addr), waiting(1)).Addr)
	want(t, c, "OK", "QLPUSH q id x")
	changes := func() int { return field(master.CLI("INFO", "persistence"), "rdb_changes_since_last_save:") }
	check := func() {
		t.Helper()
		for command, reply := range map[string]string{
			"QLPUSH q id x": "ERR duplicate event id", "QRPUSH q id x": "ERR duplicate event id", "QACK q none": "0",
			"QACK q none REDO": "0", "QTOUCH q none EX 9": "0", "QRPOP empty EX 9": "redis: nil", "QPEEK q id": "[ready x 0 0]",
			"QRPEEK q": "[id x]", "QLPEEK empty": "redis: nil",
		} {
			before := changes()
			want(t, c, reply, command)
			if changes() == before {
				t.Errorf("%s wrote nothing", command)
			}
		}
	}
	check()
	master.CLI("CONFIG", "SET", "maxmemory", "1mb")
	check()
	if left := master.CLI("EXISTS", "okq:{q:empty}:bounds"); strings.TrimSpace(left) != "0" {
		t.Error("something is left of a queue without events")
	}
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
