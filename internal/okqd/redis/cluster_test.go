package redis_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// A queue in partitions is spread over the masters, and what is on a master that dies is served by its replica.
func TestClusterReplicaServesADeadMastersEvents(t *testing.T) {
	t.Parallel()
	nodes := testenv.StartCluster(t, 3, 1)
	okqd := okqdtest.RunT(t, onCluster(nodes, 16))
	c := dial(t, okqd.Addr)
	const n = 300
	for i := range n {
		want(t, c, "OK", fmt.Sprintf("QLPUSH kept %d x", i))
	}
	for _, master := range nodes[:3] {
		if keys := master.CLI("KEYS", "okq:*:contents"); strings.TrimSpace(keys) == "" {
			t.Errorf("master %s has nothing of the queue", master.Addr)
		}
		offset := field(master.CLI("INFO", "replication"), "master_repl_offset:")
		eventually(t, "the replica has everything", func() bool {
			return field(master.CLI("INFO", "replication"), ",offset=") >= offset
		})
	}
	w := startLoad(t, okqd.Addr)
	w.progress(100)
	nodes[0].Kill()
	w.progress(300)
	w.end()
	w.l.Drain(t, okqd.Addr)
	// Replication is asynchronous, so of what was under way something may be lost, but not of what was there before.
	w.l.CheckContents(t)
	t.Log(w.l)
	for i := range n {
		want(t, c, "1", fmt.Sprintf("QACK kept %d", i))
	}
}

// Without a replica, a master's death stops its part of the events until it is back; then all of them are there.
func TestClusterWithoutReplicasServesAgainWhenTheMasterIsBack(t *testing.T) {
	t.Parallel()
	nodes := testenv.StartCluster(t, 3, 0)
	a, b := okqdtest.RunT(t, onCluster(nodes, 8)), okqdtest.RunT(t, onCluster(nodes[2:], 8))
	w := startLoad(t, a.Addr, b.Addr)
	w.progress(200)
	nodes[1].Kill()
	eventually(t, "the others notice", func() bool { return strings.Contains(nodes[0].CLI("CLUSTER", "INFO"), "cluster_state:fail") })
	nodes[1].Start()
	w.progress(200)
	w.end()
	w.l.Drain(t, b.Addr)
	w.l.Check(t)
	t.Log(w.l)
}

// A move between two slots of a Cluster, each on another master.
func TestClusterMovesBetweenSlots(t *testing.T) {
	t.Parallel()
	nodes := testenv.StartCluster(t, 3, 0)
	c := dial(t, okqdtest.RunT(t, onCluster(nodes, 4)).Addr)
	for i := range 20 {
		want(t, c, "OK", fmt.Sprintf("QLPUSH from %d x%d", i, i))
		want(t, c, "1", fmt.Sprintf("QMOVE from %d to new-%d", i, i))
		want(t, c, "0", fmt.Sprintf("QMOVE from %d to new-%d", i, i))
		want(t, c, "OK", fmt.Sprintf("QLPUSH from new-%d x DELAY 600000", i))
		want(t, c, fmt.Sprintf("ERR duplicate event new-%d", i), fmt.Sprintf("QMOVE from new-%d to new-%d", i, i))
		want(t, c, "1", fmt.Sprintf("QREMOVE from new-%d", i)) // it is delayed as before
		want(t, c, "1", fmt.Sprintf("QREMOVE to new-%d", i))
	}
	want(t, c, "[]", "QSTATUS")
}

// One master after the other is killed under load while its replica is behind. The replica takes over, and the master comes
// back as its replica. With --redis-wait 1 nothing that was answered is lost or comes back.
func TestClusterFailoverLosesNothingWithRedisWait(t *testing.T) {
	t.Parallel()
	nodes := testenv.StartCluster(t, 3, 1)
	awaitReplicaOfEach(t, nodes)
	a, b := okqdtest.RunT(t, onCluster(nodes, 6), waiting(1)), okqdtest.RunT(t, onCluster(nodes[1:], 6), waiting(1))
	w := startLoad(t, a.Addr, b.Addr)
	w.progress(200)
	for _, master := range nodes[:3] {
		replica := replicaOf(t, nodes, master)
		replica.Pause()
		master.CLI("CLIENT", "KILL", "TYPE", "replica") // and so it has nothing of what comes now
		offset := func() int { return field(master.CLI("INFO", "replication"), "master_repl_offset:") }
		before := offset()
		eventually(t, "the replica is behind", func() bool { return offset() > before+1000 })
		master.Kill()
		replica.Resume()
		eventually(t, "the replica has taken over", func() bool { return len(masters(t, nodes)) == 3 })
		master.Start()
		awaitReplicaOfEach(t, nodes)
		w.progress(200)
	}
	w.end()
	w.l.Drain(t, b.Addr)
	w.l.Check(t)
	t.Log(w.l)
}

// Each slot's answer waits for its own master's replicas.
func TestWaitOnAClusterIsAboutTheEventsOwnMaster(t *testing.T) {
	t.Parallel()
	nodes := testenv.StartCluster(t, 3, 1)
	awaitReplicaOfEach(t, nodes)
	c := dial(t, okqdtest.RunT(t, onCluster(nodes, 12), waiting(1)).Addr)
	const n = 40
	for i := range n {
		want(t, c, "OK", fmt.Sprintf("QLPUSH q %d x", i))
	}
	copies := 0
	for _, node := range nodes {
		if strings.Contains(node.CLI("ROLE"), "slave") {
			copies += contentsOn(t, node)
		}
	}
	if copies != n {
		t.Errorf("the replicas have %d of %d events that were answered", copies, n)
	}
}

func replicaOf(t *testing.T, nodes []*testenv.RedisProcess, master *testenv.RedisProcess) *testenv.RedisProcess {
	t.Helper()
	port := fmt.Sprintf(":%d", field(master.CLI("INFO", "replication"), "slave0:ip=127.0.0.1,port="))
	for _, node := range nodes {
		if strings.HasSuffix(node.Addr, port) {
			return node
		}
	}
	t.Fatalf("no replica of %s", master.Addr)
	return nil
}

// contentsOn is how many events a replica has.
func contentsOn(t *testing.T, replica *testenv.RedisProcess) (n int) {
	t.Helper()
	c := dial(t, replica.Addr)
	want(t, c, "OK", "READONLY")
	for key := range strings.FieldsSeq(replica.CLI("KEYS", "okq:*:contents")) {
		length, err := c.HLen(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		n += int(length)
	}
	return n
}

func masters(t *testing.T, nodes []*testenv.RedisProcess) (list []string) {
	t.Helper()
	for _, node := range nodes {
		if role, err := node.TryCLI("ROLE"); err == nil && strings.HasPrefix(role, "master") {
			list = append(list, node.Addr)
		}
	}
	return list
}

// awaitReplicaOfEach waits until each master has a replica that follows it.
func awaitReplicaOfEach(t *testing.T, nodes []*testenv.RedisProcess) {
	t.Helper()
	eventually(t, "each master has a replica", func() bool {
		online := 0
		for _, node := range nodes {
			online += strings.Count(node.CLI("INFO", "replication"), "state=online")
		}
		return online == len(nodes)/2
	})
}

// field is the number behind a key of INFO.
func field(info, key string) (n int) {
	_, rest, _ := strings.Cut(info, key)
	fmt.Sscan(strings.FieldsFunc(rest, func(r rune) bool { return r < '0' || r > '9' })[0], &n)
	return n
}
