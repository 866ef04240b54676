package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/caller"
	"github.com/levenlabs/postmaster/bench/internal/process"
	"github.com/levenlabs/postmaster/bench/internal/sink"
)

const (
	callers  = 64
	inFlight = 256
)

// A row is one way to do the work. start returns the address to call and the processes it takes.
type row struct {
	name  string
	start func(dir, redis, post string) (addr string, processes []*process.Process, err error)
}

// result is one turn.
type result struct {
	calls, sent float64 // a second; sent from the first call until the last post
	p99         time.Duration
	cpu         float64 // microseconds a mail: of the row's processes and Redis
}

func measure(ctx context.Context, dir string, r row, duration time.Duration) (result, error) {
	sendgrid := sink.New()
	defer sendgrid.Close()
	redis, err := startRedis(dir)
	if err != nil {
		return result{}, err
	}
	defer redis.Stop()
	addr, processes, err := r.start(dir, redis.Addr, sendgrid.URL)
	defer process.StopAll(processes...)
	if err != nil {
		return result{}, err
	}
	sendgrid.Reset(0)
	begin := time.Now()
	done, err := caller.Load(ctx, addr, callers, duration)
	if err != nil {
		return result{}, err
	}
	n := len(done.Latencies)
	for deadline := time.Now().Add(2 * time.Minute); sendgrid.Taken() < int64(n); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return result{}, fmt.Errorf("%d of %d were sent", sendgrid.Taken(), n)
		}
	}
	time.Sleep(200 * time.Millisecond) // the last are recorded
	if more := sendgrid.Taken(); more != int64(n) {
		return result{}, fmt.Errorf("%d were sent of %d", more, n)
	}
	var cpu time.Duration
	for _, p := range append(processes, redis) {
		cpu += p.CPUTotal()
	}
	return result{
		calls: done.Rate(), sent: float64(n) / sendgrid.Last().Sub(begin).Seconds(), p99: done.Latencies[n*99/100],
		cpu: float64(cpu.Microseconds()) / float64(n),
	}, nil
}

func startRedis(dir string) (*process.Process, error) {
	path := os.Getenv("PM_TEST_REDIS_SERVER")
	if path == "" {
		return nil, errors.New(`PM_TEST_REDIS_SERVER is not set: eval "$(scripts/services env)"`)
	}
	folder, err := os.MkdirTemp(dir, "redis-")
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().String()
	ln.Close()
	ping := func() error {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err
	}
	_, port, _ := net.SplitHostPort(addr)
	return process.StartSilent(addr, ping, path, "--bind", "127.0.0.1", "--port", port, "--dir", folder,
		"--appendonly", "yes", "--auto-aof-rewrite-percentage", "0", "--save", "", "--logfile", filepath.Join(folder, "log"))
}
