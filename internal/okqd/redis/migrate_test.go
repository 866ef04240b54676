package redis_test

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	engine "github.com/levenlabs/postmaster/internal/okqd/redis"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// originalQueue is what the original okq would have in Redis.
type originalQueue struct {
	queued  int // "0", "1", … in the order of their pops
	claimed int // "c0", "c1", …, the first popped first; the lease of the last runs on
	strays  int // "s0", …
}

func (o originalQueue) write(t *testing.T, c redis.UniversalClient, queue string) {
	t.Helper()
	key := "queue:{" + queue + "}"
	pipe := c.Pipeline()
	item := func(id string) { pipe.HSet(t.Context(), key+":items", id, "contents of "+id) }
	for i := range o.queued {
		item(fmt.Sprint(i))
		pipe.LPush(t.Context(), key, i)
	}
	for i := range o.claimed {
		id := fmt.Sprintf("c%d", i)
		item(id)
		pipe.LPush(t.Context(), key+":claimed", id)
		if i == o.claimed-1 {
			pipe.Set(t.Context(), key+":lock:"+id, 1, time.Hour)
		}
	}
	for i := range o.strays {
		item(fmt.Sprintf("s%d", i))
	}
	pipe.ZAdd(t.Context(), key+":consumers", redis.Z{Score: float64(time.Now().Add(-time.Hour).Unix()), Member: "gone"})
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// order is how okqd gives them.
func (o originalQueue) order(strays bool) []string {
	var ids []string
	for i := range o.claimed - 1 {
		ids = append(ids, fmt.Sprintf("c%d", i))
	}
	for i := range o.queued {
		ids = append(ids, fmt.Sprint(i))
	}
	for i := range o.strays {
		if strays {
			ids = append(ids, fmt.Sprintf("s%d", i))
		}
	}
	return ids
}

func migrate(t *testing.T, addr string, change func(*engine.Migrate)) (string, error) {
	t.Helper()
	m := engine.Migrate{Redis: engine.Config{Addr: addr, Partitions: 1}}
	if change != nil {
		change(&m)
	}
	var out bytes.Buffer
	err := m.Run(t.Context(), &out)
	return out.String(), err
}

// popAll pops everything and checks contents and deliveries.
func popAll(t *testing.T, c *redis.Client, queue string) (ids []string) {
	t.Helper()
	for {
		events, err := c.Do(t.Context(), "QRPOP", queue, "EX", 600, "COUNT", 1000).Slice()
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return ids
		}
		for _, ev := range events {
			ev := ev.([]any)
			id, deliveries := ev[0].(string), int64(1)
			if id[0] == 'c' {
				deliveries = 2
			}
			if ev[1] != "contents of "+id || ev[2] != deliveries {
				t.Errorf("got %v", ev)
			}
			ids = append(ids, id)
		}
	}
}

func TestMigrateKeepsOrderLeasesAndStrays(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	raw := redis.NewClient(&redis.Options{Addr: r.Addr})
	defer raw.Close()
	was := originalQueue{queued: 750, claimed: 120, strays: 3}
	was.write(t, raw, "q")
	originalQueue{queued: 1}.write(t, raw, "with:colon}s")

	out, err := migrate(t, r.Addr, func(m *engine.Migrate) { m.DryRun = true })
	if err != nil || !strings.Contains(out, "750 queued, 120 popped and not acknowledged, 3 in no list") {
		t.Errorf("dry run: %v\n%s", err, out)
	}
	if out, err = migrate(t, r.Addr, nil); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`queue "q": 870 of 873 copied, of which 1 are leased and 119 go back to the front`,
		`queue "q": 3 events are in no list and stay where they are`, `queue "q": moved`, `queue "with:colon}s": moved`,
	} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
	c := dial(t, okqdtest.RunT(t, okqdtest.WithRedis(r.Addr)).Addr)
	if got := do(t, c, "QSTATUS q"); !strings.HasPrefix(got, "[[q 870 1 0 0 ") {
		t.Errorf("status %s", got)
	}
	if got := popAll(t, c, "q"); !slices.Equal(got, was.order(false)) {
		t.Errorf("popped %v", got)
	}
	want(t, c, "[0 contents of 0]", "QRPOP with:colon}s")
	want(t, c, "1", "QACK q c119")

	if out, err = migrate(t, r.Addr, func(m *engine.Migrate) { m.Strays = true }); err != nil {
		t.Fatal(err)
	}
	got := popAll(t, c, "q")
	if slices.Sort(got); !slices.Equal(got, []string{"s0", "s1", "s2"}) {
		t.Errorf("strays %v\n%s", got, out)
	}
	if left := raw.Keys(t.Context(), "queue:*").Val(); !slices.Equal(left, []string{"queue:{q}:lock:c119"}) {
		t.Errorf("left behind: %v", left)
	}
	if left := raw.Keys(t.Context(), "*migrating*").Val(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Events of a queue that okqd has begun to use come after the old ones.
func TestMigrateIntoAQueueInUse(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	raw := redis.NewClient(&redis.Options{Addr: r.Addr})
	defer raw.Close()
	c := dial(t, okqdtest.RunT(t, okqdtest.WithRedis(r.Addr)).Addr)
	for _, id := range []string{"new", "7"} {
		if err := c.Do(t.Context(), "QLPUSH", "q", id, "contents of "+id).Err(); err != nil {
			t.Fatal(err)
		}
	}
	was := originalQueue{queued: 2500, claimed: 5}
	was.write(t, raw, "q")
	out, err := migrate(t, r.Addr, nil)
	if err != nil || !strings.Contains(out, "1 were there already") {
		t.Errorf("%v\n%s", err, out)
	}
	order := was.order(false)
	order = append(slices.Delete(order, 4+7, 4+8), "new", "7")
	if got := popAll(t, c, "q"); !slices.Equal(got, order) {
		t.Errorf("popped %v", got)
	}
	want(t, c, "1", "QACK q c4")
}

func TestMigrateRefusesAnOkqAtWork(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	raw := redis.NewClient(&redis.Options{Addr: r.Addr})
	defer raw.Close()
	originalQueue{queued: 1}.write(t, raw, "q")
	raw.ZAdd(t.Context(), "queue:{q}:consumers", redis.Z{Score: float64(time.Now().Unix()), Member: "here"})
	if _, err := migrate(t, r.Addr, nil); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("error %v", err)
	}
}

func TestMigrateInACluster(t *testing.T) {
	t.Parallel()
	nodes := testenv.StartCluster(t, 3, 0)
	raw := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{nodes[0].Addr}})
	defer raw.Close()
	was := originalQueue{queued: 300, claimed: 10, strays: 2}
	queues := []string{"a", "b", "c", "d", "e", "f"}
	for _, q := range queues {
		was.write(t, raw, q)
	}
	if out, err := migrate(t, nodes[1].Addr, func(m *engine.Migrate) {
		m.Redis.Cluster, m.Redis.Partitions, m.Strays = true, 4, true
	}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := dial(t, okqdtest.RunT(t, onCluster(nodes, 4)).Addr)
	order := was.order(true)
	slices.Sort(order)
	for _, q := range queues {
		got := popAll(t, c, q)
		if slices.Sort(got); !slices.Equal(got, order) {
			t.Errorf("queue %s: popped %v", q, got)
		}
	}
}

// Whichever command is the last that arrives, a second run makes good what the first began.
func TestMigrateCanBeCutOffAfterAnyCommand(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t, "--appendfsync", "no")
	raw := redis.NewClient(&redis.Options{Addr: r.Addr})
	defer raw.Close()
	was := originalQueue{queued: 220, claimed: 3, strays: 2}
	for cut := 1; ; cut++ {
		raw.FlushAll(t.Context())
		was.write(t, raw, "q")
		_, err := migrate(t, startLimit(t, r.Addr, cut), nil)
		raw.Del(t.Context(), "okq:{okqd}:servers") // as if its time were over
		if _, again := migrate(t, r.Addr, nil); again != nil {
			t.Fatalf("cut off after %d commands, then: %v", cut, again)
		}
		okqd := okqdtest.RunT(t, okqdtest.WithRedis(r.Addr))
		c := dial(t, okqd.Addr)
		if got := popAll(t, c, "q"); !slices.Equal(got, was.order(false)) {
			t.Errorf("cut off after %d commands: popped %v", cut, got)
		}
		want(t, c, "1", "QACK q c2")
		if n := raw.HLen(t.Context(), "queue:{q}:items").Val(); n != 2 {
			t.Errorf("cut off after %d commands: %d strays", cut, n)
		}
		okqd.Stop()
		if err == nil {
			t.Logf("cut off at each of %d commands", cut-1)
			return
		}
	}
}

// startLimit is a way to Redis that ends for good after so many writes of its client.
func startLimit(t *testing.T, redis string, writes int) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	var left atomic.Int64
	left.Store(int64(writes))
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", redis)
			if err != nil || left.Load() <= 0 {
				client.Close()
				ln.Close()
				return
			}
			go func() {
				defer client.Close()
				defer server.Close()
				forward(server, client, func([]byte) bool { return left.Add(-1) >= 0 })
			}()
			go func() {
				defer client.Close()
				forward(client, server, func([]byte) bool { return left.Load() > 0 })
			}()
		}
	}()
	return ln.Addr().String()
}
