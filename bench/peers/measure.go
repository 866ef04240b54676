package main

import (
	"context"
	"fmt"
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
	redis, err := process.StartRedis(dir)
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
