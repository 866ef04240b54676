package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/levenlabs/postmaster/bench/internal/process"
)

// An engine starts okqd on one of its engines, and what that needs.
type engine func(context.Context, *system) error

var engines = map[string]engine{"local": startLocal, "redis": startRedis, "sentinel": startSentinel}

// startLocal is one okqd with a disk of its own, if there can be one.
func startLocal(ctx context.Context, s *system) error {
	dir := filepath.Join(s.dir, "disk")
	var err error
	if s.disk, err = newDisk(dir); err != nil {
		s.noDisk = err.Error()
	}
	return s.startOkqd(ctx, "--data-dir", filepath.Join(dir, "queues"), "--min-free", "33554432")
}

const redisOkqds = 2

// startRedis is several okqd on one Redis that syncs each write before it answers.
func startRedis(ctx context.Context, s *system) error {
	binary, err := process.RedisServer()
	if err != nil {
		return err
	}
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir, "redis")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s.run(ctx, "redis", binary, nil, "--bind", "127.0.0.1", "--port", port(addr), "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "")
	for range redisOkqds {
		name := s.nextOkqd()
		redis, err := s.network.connect(name, "redis", addr)
		if err != nil {
			return err
		}
		if err := s.startOkqd(ctx, "--redis-addr", redis); err != nil {
			return err
		}
	}
	return nil
}

// startOkqd starts one and waits until it answers.
func (s *system) startOkqd(ctx context.Context, args ...string) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	name := s.nextOkqd()
	s.run(ctx, name, "okqd", nil, append([]string{"--listen-addr", addr, "--ops-addr", ""}, args...)...)
	s.okqAddrs = append(s.okqAddrs, addr)
	if err := s.dialOkq(ctx); err != nil {
		return err
	}
	return within(ctx, name, func() error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return s.okq.Ping(ctx)
	})
}
