package redis_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/internal/okqd"
	"github.com/levenlabs/postmaster/internal/okqd/ledger"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// dial connects to an okqd on redis.
func dial(t *testing.T, addr string) *redis.Client {
	c := ledger.Client(addr)
	t.Cleanup(func() { c.Close() })
	return c
}

// token is a lease's, at the end of a row of a pop with COUNT.
var token = regexp.MustCompile(` \d+\.\d{3}\]`)

// do is the answer to a command, split at spaces, without tokens of leases, an error's text if it is one.
func do(t *testing.T, c *redis.Client, command string) string {
	t.Helper()
	var args []any
	for _, arg := range strings.Split(command, " ") {
		args = append(args, arg)
	}
	reply, err := c.Do(t.Context(), args...).Result()
	if err != nil {
		return err.Error()
	}
	return token.ReplaceAllString(fmt.Sprint(reply), "]")
}

func want(t *testing.T, c *redis.Client, reply, command string) {
	t.Helper()
	if got := do(t, c, command); got != reply {
		t.Errorf("%s: got %q, want %q", command, got, reply)
	}
}

func onCluster(nodes []*testenv.RedisProcess, partitions int) okqdtest.Option {
	addrs := make([]string, len(nodes))
	for i, node := range nodes {
		addrs[i] = node.Addr
	}
	return func(c *okqd.Config) {
		c.Redis.Addr, c.Redis.Cluster, c.Redis.Partitions = strings.Join(addrs, ","), true, partitions
	}
}

// load is producers and consumers at work.
type load struct {
	t      *testing.T
	l      *ledger.Ledger
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func startLoad(t *testing.T, addrs ...string) *load {
	ctx, cancel := context.WithCancel(t.Context())
	w := &load{t: t, l: ledger.New(ledger.Persist), cancel: cancel}
	for i, addr := range addrs {
		for j := range 3 {
			w.wg.Go(func() { w.l.Produce(ctx, addr, fmt.Sprintf("%d-%d", i, j)) })
			w.wg.Go(func() { w.l.Consume(ctx, addr) })
		}
	}
	t.Cleanup(w.end)
	return w
}

// progress waits until n more pushes were acknowledged.
func (w *load) progress(n int) {
	w.t.Helper()
	n += w.l.Pushed()
	eventually(w.t, "pushes are acknowledged", func() bool { return w.l.Pushed() >= n })
}

func (w *load) end() {
	w.cancel()
	w.wg.Wait()
}

func eventually(t *testing.T, what string, until func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !until(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}
