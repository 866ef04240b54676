package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
	"github.com/levenlabs/postmaster/bench/internal/report"
)

// redisCosts is what an event costs on its way through okqd and Redis.
type redisCosts struct {
	okqd, redis time.Duration // CPU of all events
	bytes       int64         // of Redis' memory, while they are queued
	events      int
}

// newRedisCosts pushes events for a while and takes them out again.
func newRedisCosts(ctx context.Context, redis, okqd *process.Process, clients []*client) (c redisCosts, err error) {
	begin, err := cpuOf(okqd, redis)
	if err != nil {
		return c, err
	}
	empty, err := redisMemory(ctx, redis.Addr)
	if err != nil {
		return c, err
	}
	pushed, err := load(clients, time.Second, func(c *client) (int, error) { return c.push(redisDepth) })
	if err != nil {
		return c, err
	}
	full, err := redisMemory(ctx, redis.Addr)
	if err != nil {
		return c, err
	}
	if _, err := load(clients, time.Minute, func(c *client) (int, error) { return c.popAck(redisDepth) }); err != nil {
		return c, err
	}
	end, err := cpuOf(okqd, redis)
	return redisCosts{end[0] - begin[0], end[1] - begin[1], full - empty, pushed.events}, err
}

func (c redisCosts) add() error {
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(c.events) }
	if err := report.AddCost(report.CostOkqdRedis, each(c.okqd)); err != nil {
		return err
	}
	if err := report.AddCost(report.CostRedis, each(c.redis)); err != nil {
		return err
	}
	return report.AddCost(report.CostRedisBytes, float64(c.bytes)/float64(c.events))
}

func cpuOf(processes ...*process.Process) (used []time.Duration, err error) {
	for _, p := range processes {
		cpu, err := p.CPU()
		if err != nil {
			return nil, err
		}
		used = append(used, cpu)
	}
	return used, nil
}

// redisMemory is used_memory, in bytes.
func redisMemory(ctx context.Context, addr string) (used int64, err error) {
	_, port, _ := net.SplitHostPort(addr)
	out, err := exec.CommandContext(ctx, "redis-cli", "-p", port, "INFO", "memory").Output()
	if err != nil {
		return 0, fmt.Errorf("redis-cli: %w", err)
	}
	_, rest, _ := strings.Cut(string(out), "used_memory:")
	_, err = fmt.Sscan(rest, &used)
	return used, err
}
