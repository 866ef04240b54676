package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/ledger"
	"github.com/levenlabs/postmaster/internal/testenv"
)

func TestKillLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	killOkqd(t, 6)
}

func TestHeavyKillLosesAndDoublesNothing(t *testing.T) {
	testenv.Heavy(t)
	killOkqd(t, kills(80))
}

func TestKilledRedisLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	killRedis(t, 4)
}

func TestHeavyKilledRedisLosesAndDoublesNothing(t *testing.T) {
	testenv.Heavy(t)
	killRedis(t, kills(60))
}

// kills is how many times to kill: PM_KILLS, if it is set. usual is what takes about a minute.
func kills(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("PM_KILLS")); err == nil {
		return n
	}
	return usual
}

// killOkqd kills okqd on its embedded engine.
func killOkqd(t *testing.T, rounds int) {
	bin, dir := build(t), t.TempDir()
	var p *process
	killRounds(t, rounds, ledger.New(ledger.CutOff), killable{
		start: func() string { p = start(t, bin, dir); return p.addr },
		kill:  func() { p.kill() },
	})
}

// killRedis kills the Redis under two okqd that live on.
func killRedis(t *testing.T, rounds int) {
	r := testenv.StartRedis(t)
	bin := build(t)
	addrs := []string{
		start(t, bin, t.TempDir(), "--redis-addr", r.Addr).addr,
		start(t, bin, t.TempDir(), "--redis-addr", r.Addr).addr,
	}
	r.Kill()
	next := 0
	killRounds(t, rounds, ledger.New(ledger.Persist), killable{
		start: func() string { r.Start(); next++; return addrs[next%2] },
		kill:  r.Kill,
	})
}

// killable is what is killed, and started again on the same data.
type killable struct {
	start func() (addr string)
	kill  func()
}

// killRounds kills at random instants while producers and consumers work, and holds what they saw against what they
// were told.
func killRounds(t *testing.T, rounds int, l *ledger.Ledger, k killable) {
	seed := rand.Uint64()
	if s := os.Getenv("PM_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	addr := k.start()
	for round := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() { l.Produce(ctx, addr, fmt.Sprintf("%d-%d", round, i)) })
			wg.Go(func() { l.Consume(ctx, addr) })
		}
		time.Sleep(time.Duration(20+rng.IntN(250)) * time.Millisecond) // the instant of the kill
		k.kill()
		next := k.start()
		cancel()
		wg.Wait()
		addr = next
	}
	l.Drain(t, addr)
	l.Check(t)
	t.Logf("%d kills, seed %d: %s", rounds, seed, l)
}
