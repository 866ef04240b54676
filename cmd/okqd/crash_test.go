package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/internal/testenv"
)

func TestKillLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	killRounds(t, 6)
}

func TestHeavyKillLosesAndDoublesNothing(t *testing.T) {
	testenv.Heavy(t)
	killRounds(t, 200)
}

// killRounds kills okqd at random instants while producers and consumers work, on the same data again and again, and
// holds what they saw against what they were told.
func killRounds(t *testing.T, rounds int) {
	seed := rand.Uint64()
	if s := os.Getenv("PM_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	bin, dir := build(t), t.TempDir()
	l := newLedger()
	for round := range rounds {
		p := start(t, bin, dir)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() { l.produce(ctx, p.addr, fmt.Sprintf("%d-%d", round, i)) })
			wg.Go(func() { l.consume(ctx, p.addr) })
		}
		time.Sleep(time.Duration(20+rng.IntN(250)) * time.Millisecond) // the instant of the kill
		p.kill()
		cancel()
		wg.Wait()
	}
	p := start(t, bin, dir)
	l.drain(t, p.addr)
	p.kill()
	l.check(t)
	t.Logf("%d kills, seed %d: %d pushes and %d acks were acknowledged, %d events redelivered; lost %d, seen after their ack %d",
		rounds, seed, len(l.pushed), len(l.acked), l.again, len(l.lost()), len(l.seenAfterAck))
}

// ledger is what the clients know.
type ledger struct {
	mu           sync.Mutex
	pushed       map[string]bool // acknowledged
	popped       map[string]int
	ackSent      map[string]bool // perhaps acknowledged, perhaps not
	acked        map[string]bool // acknowledged
	seenAfterAck map[string]bool
	bad          []string
	again        int
}

func newLedger() *ledger {
	return &ledger{
		pushed: map[string]bool{}, popped: map[string]int{}, ackSent: map[string]bool{},
		acked: map[string]bool{}, seenAfterAck: map[string]bool{},
	}
}

func client(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, PoolSize: 1, DialerRetries: 1})
}

func contentsOf(id string) string { return strings.Repeat(id+".", 1+len(id)*3) }

// produce pushes, a few at a time, until it is cut off. An unanswered push counts as nothing.
func (l *ledger) produce(ctx context.Context, addr, name string) {
	c := client(addr)
	defer c.Close()
	for n := 0; ; {
		pipe := c.Pipeline()
		var ids []string
		for range 1 + rand.IntN(8) {
			id := fmt.Sprintf("%s-%d", name, n)
			n++
			ids = append(ids, id)
			command := []any{"QLPUSH", "q", id, contentsOf(id)}
			if rand.IntN(8) == 0 {
				command = append(command, "DELAY", rand.IntN(300))
			}
			pipe.Do(ctx, command...)
		}
		cmds, err := pipe.Exec(ctx)
		l.mu.Lock()
		for i, cmd := range cmds {
			if cmd.Err() == nil {
				l.pushed[ids[i]] = true
			}
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// consume pops and acks or gives back until it is cut off.
func (l *ledger) consume(ctx context.Context, addr string) {
	c := client(addr)
	defer c.Close()
	for {
		ids, err := l.pop(ctx, c, 1+rand.IntN(8))
		if err != nil || l.ack(ctx, c, ids) != nil {
			return
		}
		if len(ids) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

func (l *ledger) pop(ctx context.Context, c *redis.Client, n int) (ids []string, err error) {
	events, err := c.Do(ctx, "QRPOP", "q", "EX", 1, "COUNT", n).Slice()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ev := range events {
		ev := ev.([]any)
		id, contents := ev[0].(string), ev[1].(string)
		if contents != contentsOf(id) {
			l.bad = append(l.bad, id)
		}
		if l.acked[id] {
			l.seenAfterAck[id] = true
		}
		if l.popped[id]++; l.popped[id] > 1 {
			l.again++
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (l *ledger) ack(ctx context.Context, c *redis.Client, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	pipe := c.Pipeline()
	redo := make([]bool, len(ids))
	l.mu.Lock()
	for i, id := range ids {
		if redo[i] = rand.IntN(5) == 0; redo[i] {
			pipe.Do(ctx, "QACK", "q", id, "REDO")
			continue
		}
		pipe.Do(ctx, "QACK", "q", id)
		l.ackSent[id] = true
	}
	l.mu.Unlock()
	cmds, err := pipe.Exec(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, cmd := range cmds {
		if n, err := cmd.(*redis.Cmd).Int(); err == nil && n == 1 && !redo[i] {
			l.acked[ids[i]] = true
		}
	}
	return err
}

// drain takes all that is left, waiting for leases and delays to end.
func (l *ledger) drain(t *testing.T, addr string) {
	c := client(addr)
	defer c.Close()
	for deadline := time.Now().Add(time.Minute); ; {
		ids, err := l.pop(t.Context(), c, 1000)
		if err == nil {
			err = l.ack(t.Context(), c, ids)
		}
		var total int64
		if err == nil {
			total, err = left(t.Context(), c)
		}
		if err != nil {
			t.Fatal(err)
		}
		if total == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d events never came", total)
		}
	}
}

func left(ctx context.Context, c *redis.Client) (int64, error) {
	rows, err := c.Do(ctx, "QSTATUS", "q").Slice()
	if err != nil {
		return 0, err
	}
	total, ok := rows[0].([]any)[1].(int64)
	if !ok {
		return 0, errors.New("odd row")
	}
	return total, nil
}

// lost are the events whose push was acknowledged, that nobody acked, and that are not there.
func (l *ledger) lost() []string {
	var lost []string
	for id := range maps.Keys(l.pushed) {
		if !l.ackSent[id] {
			lost = append(lost, id)
		}
	}
	return lost
}

func (l *ledger) check(t *testing.T) {
	if lost := l.lost(); len(lost) > 0 {
		t.Errorf("%d acknowledged events are lost, such as %s", len(lost), lost[0])
	}
	for id := range l.seenAfterAck {
		t.Errorf("event %s was seen after its acknowledged ack", id)
	}
	if len(l.bad) > 0 {
		t.Errorf("%d events came with other contents, such as %s", len(l.bad), l.bad[0])
	}
	if len(l.pushed) == 0 || len(l.acked) == 0 {
		t.Errorf("nothing was tried: %d pushes, %d acks", len(l.pushed), len(l.acked))
	}
}
