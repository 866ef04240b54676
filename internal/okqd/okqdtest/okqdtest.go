// Package okqdtest gives tests a real okqd, on a directory and a port of its own.
package okqdtest

import (
	"context"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/okqd"
)

// An Option changes the server's configuration.
type Option func(*okqd.Config)

// WithDir keeps the queues in dir, so that a later server can go on with them.
func WithDir(dir string) Option { return func(c *okqd.Config) { c.Local.Dir = dir } }

// WithPassword makes clients give one of the passwords, if any is not "".
func WithPassword(passwords ...string) Option {
	return func(c *okqd.Config) {
		c.Passwords = slices.DeleteFunc(slices.Clone(passwords), func(p string) bool { return p == "" })
	}
}

// WithRedis keeps the queues in the Redis at addr.
func WithRedis(addr string) Option { return func(c *okqd.Config) { c.Redis.Addr = addr } }

// WithTLS serves TLS with the certificate and key in these files.
func WithTLS(cert, key string) Option {
	return func(c *okqd.Config) { c.TLSCert, c.TLSKey = cert, key }
}

// WithPartitions spreads each queue in Redis.
func WithPartitions(n int) Option { return func(c *okqd.Config) { c.Redis.Partitions = n } }

// WithAddr listens there and not on a port of the system's choice.
func WithAddr(addr string) Option { return func(c *okqd.Config) { c.ListenAddr = addr } }

// Server is a running okqd.
type Server struct {
	Addr    string
	Metrics *prometheus.Registry
	stop    func()
}

// Stop shuts the server down and waits for it. The test's end does so too.
func (s *Server) Stop() { s.stop() }

// RunT starts a server that stops when the test ends.
func RunT(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	cfg := Config(tb, opts...)
	if err := cfg.Validate(); err != nil {
		tb.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	srv := okqd.New(cfg, zerolog.New(zerolog.NewTestWriter(tb)).Level(zerolog.WarnLevel), reg)
	if err := srv.Listen(); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Run(ctx); err != nil {
			tb.Errorf("okqd: %v", err)
		}
	}()
	stop := func() { cancel(); <-done }
	tb.Cleanup(stop)
	return &Server{Addr: srv.Addr().String(), Metrics: reg, stop: stop}
}

// Config is the configuration that RunT uses: the defaults, but for where it listens and keeps its data.
func Config(tb testing.TB, opts ...Option) okqd.Config {
	tb.Helper()
	var cfg okqd.Config
	cfg.AddFlags(pflag.NewFlagSet("okqd", pflag.ContinueOnError))
	cfg.ListenAddr, cfg.Local.Dir = "127.0.0.1:0", tb.TempDir()
	cfg.Local.MinFree = 0 // tests must not fail on a full machine's reserve
	for _, opt := range opts {
		opt(&cfg)
	}
	return cfg
}
