package okqdtest_test

import (
	"testing"

	"github.com/levenlabs/postmaster/internal/okqd/conformance"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// localTarget is okqd with the local engine.
type localTarget struct {
	tb  testing.TB
	dir string
	srv *okqdtest.Server
}

func (l *localTarget) Addr() string { return l.srv.Addr }

func (l *localTarget) Restart() {
	l.srv.Stop()
	l.srv = okqdtest.RunT(l.tb, okqdtest.WithDir(l.dir))
}

func TestLocalEngineConforms(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(tb testing.TB) conformance.Target {
		dir := tb.TempDir()
		return &localTarget{tb, dir, okqdtest.RunT(tb, okqdtest.WithDir(dir))}
	})
}

// redisTarget is okqd with the redis engine, on a Redis of its own.
type redisTarget struct {
	tb   testing.TB
	opts []okqdtest.Option
	srv  *okqdtest.Server
}

func startRedisTarget(tb testing.TB, opts ...okqdtest.Option) conformance.Target {
	opts = append(opts, okqdtest.WithRedis(testenv.StartRedis(tb).Addr))
	return &redisTarget{tb, opts, okqdtest.RunT(tb, opts...)}
}

func (r *redisTarget) Addr() string { return r.srv.Addr }

func (r *redisTarget) Restart() {
	r.srv.Stop()
	r.srv = okqdtest.RunT(r.tb, r.opts...)
}

func TestRedisEngineConforms(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(tb testing.TB) conformance.Target { return startRedisTarget(tb) })
}

func TestPartitionsConformButForOrder(t *testing.T) {
	t.Parallel()
	conformance.RunUnordered(t, func(tb testing.TB) conformance.Target {
		return startRedisTarget(tb, okqdtest.WithPartitions(3))
	})
}
