package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/testenv/process"
)

const queued = 1000

// allSent waits until SendGrid has every mail, and checks that none of those whose outcome was known went twice: at
// most as many doubles as mails can have been under way when a process died.
func (s *system) allSent(ids []string, underWay int) {
	s.t.Helper()
	process.Eventually(s.t, 2*time.Minute, "every mail at SendGrid", func() bool {
		once, _ := s.sent(ids)
		return once == len(ids)
	})
	_, twice := s.sent(ids)
	s.t.Logf("%d mails queued, all sent, %d of them twice", len(ids), twice)
	if twice > underWay {
		s.t.Errorf("%d mails were sent twice, and only %d can have been under way", twice, underWay)
	}
}

func TestEveryMailIsSentThoughTheWorkerIsKilled(t *testing.T) {
	t.Parallel()
	s := startSystem(t, "--sqlite", filepath.Join(t.TempDir(), "pm.db"))
	s.worker.Kill()
	ids := s.enqueue(queued)
	for _, after := range []int{1, queued / 4, queued / 2} {
		s.worker.Run(1)
		process.Eventually(t, time.Minute, "the worker sends", func() bool { once, _ := s.sent(ids); return once >= after })
		s.worker.Kill()
	}
	s.worker.Run(1)
	s.allSent(ids, 0)
}

func TestEveryMailIsSentThoughOkqdIsKilled(t *testing.T) {
	t.Parallel()
	s := startSystem(t, "--sqlite", filepath.Join(t.TempDir(), "pm.db"))
	s.worker.Kill()
	ids := s.enqueue(queued)
	s.okqd.Kill()
	s.okqd.Run(2)
	s.worker.Run(1)
	for _, after := range []int{1, queued / 2} {
		process.Eventually(t, time.Minute, "the worker sends", func() bool { once, _ := s.sent(ids); return once >= after })
		s.okqd.Kill()
		s.okqd.Run(2)
	}
	s.allSent(ids, 0)
}

func TestSIGTERMDrainsAndExits0(t *testing.T) {
	t.Parallel()
	s := startSystem(t, "--sqlite", filepath.Join(t.TempDir(), "pm.db"))
	ids := s.enqueue(50)
	process.Eventually(t, time.Minute, "the worker sends", func() bool { once, _ := s.sent(ids); return once > 0 })
	for _, p := range []*process.Process{s.api, s.hooks, s.worker, s.okqd} {
		if code := p.Stop(); code != 0 {
			t.Errorf("%s: exit %d after SIGTERM, want 0", p.Name, code)
		}
	}
	if _, twice := s.sent(ids); twice > 0 {
		t.Errorf("%d mails sent twice", twice)
	}
}
