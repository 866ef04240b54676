package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
)

// system is the processes that are measured.
type system struct {
	dir                        string
	okqd, hooks, bare, ceiling *process.Process
}

func setUp(ctx context.Context, publicKey string) (_ *system, err error) {
	s := &system{}
	defer func() {
		if err != nil {
			s.tearDown()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "pm-bench-"); err != nil {
		return nil, err
	}
	if err = process.Build(ctx, s.dir, "./cmd/okqd", "./cmd/pm-hooks"); err != nil {
		return nil, err
	}
	okqd := filepath.Join(s.dir, "okqd")
	if s.okqd, err = process.Start("", okqd, "--listen-addr", "127.0.0.1:0", "--ops-addr", "", "--data-dir", filepath.Join(s.dir, "okq")); err != nil {
		return nil, err
	}
	s.hooks, err = process.Start("webhook", filepath.Join(s.dir, "pm-hooks"), "--webhook-addr", "127.0.0.1:0", "--ops-addr", "", "--okq-addr", s.okqd.Addr,
		"--webhook-public-key", publicKey)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if s.bare, err = process.Start("", self, "-yardstick", publicKey); err != nil {
		return nil, err
	}
	s.ceiling, err = process.Start("", self, "-yardstick", publicKey, "-push", s.okqd.Addr)
	return s, err
}

func (s *system) tearDown() {
	process.StopAll(s.hooks, s.bare, s.ceiling, s.okqd)
	os.RemoveAll(s.dir)
}

func url(p *process.Process) string { return "http://" + p.Addr + "/" }

// cpuPerPost is in milliseconds, and ends the process.
func cpuPerPost(p *process.Process, results []result) float64 {
	posts := 0
	for _, r := range results {
		posts += len(r.latencies)
	}
	return float64(p.CPUTotal()) / float64(time.Millisecond) / float64(max(posts, 1))
}
