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

const (
	redisConnections = 64
	redisDepth       = 16 // commands in one write
)

// redis measures the engine on a Redis against what that Redis does with lists.
func (b *bench) redis(ctx context.Context) error {
	redis, err := process.StartRedis(b.dir)
	if err != nil {
		return err
	}
	defer redis.Stop()
	okqd, err := b.okqd("", "--redis-addr", redis.Addr)
	if err != nil {
		return err
	}
	defer okqd.Stop()
	ceiling, err := newForwarder(redis.Addr)
	if err != nil {
		return err
	}
	defer ceiling.close()
	clients, err := dialAll(okqd.Addr, redisConnections, 0)
	if err != nil {
		return err
	}
	defer closeAll(clients)
	var lists, pushes, pops, rpops, listsOn, rpopsOn, leasesOn []result
	var spent [2]time.Duration // by Redis, on the pushes and on the pops and acks
	var events [2]int
	costs, err := newRedisCosts(ctx, redis, okqd, clients)
	if err != nil {
		return err
	}
	for range b.rounds {
		lpush, rpop, err := benchmark(ctx, redis.Addr)
		if err != nil {
			return err
		}
		lpushOn, rpopOn, err := benchmark(ctx, ceiling.addr())
		if err != nil {
			return err
		}
		leaseOn, err := leaseDirectly(ctx, ceiling.addr())
		if err != nil {
			return err
		}
		before, err := scriptTime(ctx, redis.Addr)
		if err != nil {
			return err
		}
		push, err := load(clients, b.turn, func(c *client) (int, error) { return c.push(redisDepth) })
		if err != nil {
			return err
		}
		between, err := scriptTime(ctx, redis.Addr)
		if err != nil {
			return err
		}
		pop, err := load(clients, time.Minute, func(c *client) (int, error) { return c.popAck(redisDepth) })
		if err != nil {
			return err
		}
		after, err := scriptTime(ctx, redis.Addr)
		if err != nil {
			return err
		}
		spent[0], spent[1] = spent[0]+between-before, spent[1]+after-between
		events[0], events[1] = events[0]+push.events, events[1]+pop.events
		lists, rpops = append(lists, lpush), append(rpops, rpop)
		listsOn, rpopsOn, leasesOn = append(listsOn, lpushOn), append(rpopsOn, rpopOn), append(leasesOn, leaseOn)
		pushes, pops = append(pushes, push), append(pops, pop)
	}
	t := newTable(fmt.Sprintf("redis engine, 1 KiB, %d connections, %d a write\trate\tp50\tp99\tagainst\trate\tp50\tp99\tratio\ttarget\t", redisConnections, redisDepth))
	t.line("push", median(pushes), "LPUSH", median(lists), least(median(pushes).Rate()/median(lists).Rate(), 0.5))
	t.line(fmt.Sprintf("pop %d and ack", redisDepth), median(pops), "RPOP", median(rpops), least(median(pops).Rate()/median(rpops).Rate(), 0.5))
	t.line("LPUSH, handed on", median(listsOn), "LPUSH", median(lists), fmt.Sprintf("%.2f", median(listsOn).Rate()/median(lists).Rate()))
	t.line("RPOP, handed on", median(rpopsOn), "RPOP", median(rpops), fmt.Sprintf("%.2f", median(rpopsOn).Rate()/median(rpops).Rate()))
	if err := t.Flush(); err != nil {
		return err
	}
	most := func(theirs, on []result) string {
		_, spread := report.SpreadOf(on, theirs)
		return spread
	}
	fmt.Printf("LPOP %d and ZADD, then ZREM, handed on: %s of RPOP\n", redisDepth, most(rpops, leasesOn))
	err = targets(
		target{fmt.Sprintf("push, %d a write, okqd on Redis", redisDepth), pushes, "LPUSH", lists, 0.5, "a process that only hands LPUSH on has " + most(lists, listsOn) +
			", and a push and its contents go through Lua, which alone takes Redis longer; see docs/performance.md",
		},
		target{fmt.Sprintf("pop %d and ack, okqd on Redis", redisDepth), pops, "RPOP", rpops, 0.5, "clients that lease for themselves (LPOP and ZADD, then ZREM), through a process that only hands that on, have " +
			most(rpops, leasesOn) + "; see docs/performance.md",
		},
	)
	if err != nil {
		return err
	}
	if err := costs.add(); err != nil {
		return err
	}
	fmt.Printf("the script takes Redis %v for a push, %v for a pop and ack\n",
		(spent[0] / time.Duration(events[0])).Round(100*time.Nanosecond), (spent[1] / time.Duration(events[1])).Round(100*time.Nanosecond))
	return nil
}

// scriptTime is how long Redis has spent in scripts.
func scriptTime(ctx context.Context, addr string) (time.Duration, error) {
	_, port, _ := net.SplitHostPort(addr)
	out, err := exec.CommandContext(ctx, "redis-cli", "-p", port, "INFO", "commandstats").Output()
	if err != nil {
		return 0, fmt.Errorf("redis-cli: %w", err)
	}
	_, rest, found := strings.Cut(string(out), "cmdstat_evalsha:calls=")
	if !found {
		return 0, nil
	}
	var calls, micros int64
	_, err = fmt.Sscanf(rest, "%d,usec=%d", &calls, &micros)
	return time.Duration(micros) * time.Microsecond, err
}

// redisBacklog is backlog with both queues in one Redis.
func (b *bench) redisBacklog(ctx context.Context) error {
	redis, err := process.StartRedis(b.dir)
	if err != nil {
		return err
	}
	defer redis.Stop()
	okqd, err := b.okqd("", "--redis-addr", redis.Addr)
	if err != nil {
		return err
	}
	defer okqd.Stop()
	t := newTable(fmt.Sprintf("redis engine, %d queued\trate\tp50\tp99\tagainst\trate\tp50\tp99\tratio\ttarget\t", b.many))
	if _, err := b.compareBacklogs(ctx, t, "on Redis", okqd.Addr, okqd.Addr, 1, 2); err != nil {
		return err
	}
	return t.Flush()
}
