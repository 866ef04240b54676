package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/levenlabs/postmaster/bench/internal/process"
)

const (
	sentinels     = 3
	sentinelGroup = "okq"
	failoverLimit = 20 * time.Second // for Sentinels that are down themselves: the master comes back then
)

// startSentinel is several okqd on a Redis and its replica, of which Sentinels make the other one the master when one
// dies. Each change is on both before it is answered.
func startSentinel(ctx context.Context, s *system) error {
	binary, err := process.RedisServer()
	if err != nil {
		return err
	}
	var addrs []string
	for i := range 2 {
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		lines := fmt.Sprintf("appendonly yes\nappendfsync always\nsave \"\"\nrepl-diskless-sync-delay 0\nport %s\n", port(addr))
		if i > 0 {
			lines += "replicaof 127.0.0.1 " + port(addrs[0]) + "\n"
		}
		if err := s.runConfigured(ctx, fmt.Sprintf("redis-%d", i+1), binary, lines); err != nil {
			return err
		}
		addrs = append(addrs, addr)
	}
	if err := within(ctx, "the replica of Redis", func() error { return replicated(ctx, addrs[0]) }); err != nil {
		return err
	}
	for i := range sentinels {
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		lines := fmt.Sprintf("port %s\nsentinel monitor %s 127.0.0.1 %s %d\nsentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 5000\n",
			port(addr), sentinelGroup, port(addrs[0]), sentinels/2+1, sentinelGroup, sentinelGroup)
		if err := s.runConfigured(ctx, fmt.Sprintf("sentinel-%d", i+1), binary, lines, "--sentinel"); err != nil {
			return err
		}
		s.sentinels = append(s.sentinels, addr)
	}
	s.redisAddrs = addrs
	for range redisOkqds {
		if err := s.startOkqd(ctx, "--redis-sentinel-addr", strings.Join(s.sentinels, ","), "--redis-sentinel-group", sentinelGroup, "--redis-wait", "1"); err != nil {
			return err
		}
	}
	return nil
}

// runConfigured runs a Redis that keeps its settings in a file, where Sentinel and it write what they learn.
func (s *system) runConfigured(ctx context.Context, name, binary, lines string, args ...string) error {
	dir := filepath.Join(s.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	config := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(config, []byte("bind 127.0.0.1\ndir "+dir+"\nlogfile log\n"+lines), 0o600); err != nil {
		return err
	}
	s.run(ctx, name, binary, nil, append([]string{config}, args...)...)
	return nil
}

func replicated(ctx context.Context, addr string) error {
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	info, err := c.Info(ctx, "replication").Result()
	if err == nil && !strings.Contains(info, "state=online") {
		err = errors.New("it does not follow yet")
	}
	return err
}

// redisMaster is the program that most Sentinels name; nil if they name none.
func (s *system) redisMaster(ctx context.Context) *program {
	votes := map[string]int{}
	for _, addr := range s.sentinels {
		c := redis.NewSentinelClient(&redis.Options{Addr: addr, DialTimeout: time.Second, ReadTimeout: time.Second, MaxRetries: -1})
		if master, err := c.GetMasterAddrByName(ctx, sentinelGroup).Result(); err == nil && len(master) == 2 {
			votes[master[1]]++
		}
		c.Close()
	}
	for i, addr := range s.redisAddrs {
		if votes[port(addr)] > sentinels/2 {
			return s.program(fmt.Sprintf("redis-%d", i+1))
		}
	}
	return nil
}

// failOver kills the master until the Sentinels have made the other one the master.
func failOver(r *row) (string, func() error, error) {
	ctx := context.Background()
	master := r.sys.redisMaster(ctx)
	if master == nil {
		return "no master of Redis to kill", func() error { return nil }, nil
	}
	master.kill()
	return "kill -9 of the master " + master.name, func() error {
		defer master.release()
		for begin := r.watch.now(); r.watch.now()-begin < failoverLimit; sleep(ctx, 100*time.Millisecond) {
			if now := r.sys.redisMaster(ctx); now != nil && now != master {
				r.failovers++
				return nil
			}
		}
		return nil
	}, nil
}
