package hooks_test

import (
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// attended returns how pm-hooks' own queue stands.
func attended(t *testing.T, c *okq.Client) okq.QueueStatus {
	t.Helper()
	s, err := c.Status(t.Context(), job.QueueHooks)
	if err != nil || len(s) != 1 {
		t.Fatalf("status %v, %v", s, err)
	}
	return s[0]
}

func wantAttended(t *testing.T, c *okq.Client, total, consumers int) {
	t.Helper()
	var s okq.QueueStatus
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if s = attended(t, c); s.Total == total && s.Consumers == consumers {
			return
		}
	}
	t.Fatalf("%d events and %d consumers, want %d and %d", s.Total, s.Consumers, total, consumers)
}

// pm-workers tell by this whether evidence can come.
func TestARunningPmHooksIsKnownInOkq(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		addr := e.start(t).Addr
		first := runOver(t, defaults(t), addr)
		second := runOver(t, defaults(t), addr)
		wantAttended(t, first.okq, 1, 2)
		first.stop()
		wantAttended(t, second.okq, 1, 1)
		second.stop()
		wantAttended(t, second.okq, 1, 0)
	})
}
