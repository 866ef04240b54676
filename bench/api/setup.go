package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/levenlabs/postmaster/bench/internal/process"
)

// system is the processes that are measured.
type system struct {
	dir                      string
	okqd, api, bare, ceiling *process.Process
}

func setUp(ctx context.Context) (_ *system, err error) {
	s := &system{}
	defer func() {
		if err != nil {
			s.tearDown()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "pm-bench-"); err != nil {
		return nil, err
	}
	if err = process.Build(ctx, s.dir, "./cmd/okqd", "./cmd/pm-api"); err != nil {
		return nil, err
	}
	s.okqd, err = process.Start("", filepath.Join(s.dir, "okqd"), "--listen-addr", "127.0.0.1:0", "--ops-addr", "", "--data-dir", filepath.Join(s.dir, "okq"))
	if err != nil {
		return nil, err
	}
	s.api, err = process.Start("api", filepath.Join(s.dir, "pm-api"), "--listen-addr", "127.0.0.1:0", "--ops-addr", "", "--okq-addr", s.okqd.Addr)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if s.bare, err = process.Start("", self, "-yardstick"); err != nil {
		return nil, err
	}
	s.ceiling, err = process.Start("", self, "-yardstick", "-push", s.okqd.Addr)
	return s, err
}

func (s *system) tearDown() {
	process.StopAll(s.api, s.bare, s.ceiling, s.okqd)
	os.RemoveAll(s.dir)
}

func announce(addr net.Addr) { fmt.Fprintf(os.Stderr, `{"message":"listening","addr":%q}`+"\n", addr) }

// cpuPer is in microseconds, and ends the process.
func cpuPer(p *process.Process, results []result) float64 {
	calls := 0
	for _, r := range results {
		calls += len(r.Latencies)
	}
	return float64(p.CPUTotal().Microseconds()) / float64(max(calls, 1))
}
