package okqdtest_test

import (
	"testing"

	"github.com/levenlabs/postmaster/internal/okqd/conformance"
	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
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
