package cases

import (
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/testenv/process"
)

// A bounce reason of the recipient's server once moved the operator's cursor and set the window's title.
func TestCase14StrangersTextIsSafeOnATerminal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI()
	r.startHooks("--accept-env", "production,staging,dev")
	r.startWorker()
	id := r.enqueue("noopen@example.com", "")
	eventually(t, time.Minute, "the email is sent", func() bool { return r.sendgrid.Accepted(id) == 1 })
	sent := r.sendgrid.Find(sandbox.Filter{StatsID: id})
	if _, err := r.sendgrid.MakeEvent(sent[0].ID, sandbox.EventRequest{Kind: "bounce", Reason: "550 \x1b]0;owned\a\x1b[2J\u202e"}); err != nil {
		t.Fatal(err)
	}
	var shown []byte
	eventually(t, time.Minute, "the reason is shown", func() bool {
		args := append([]string{"email", "show", id, "--okq-addr", r.okqd.Addr}, r.store()...)
		var err error
		shown, err = process.Command("postmaster", args...).Output()
		return err == nil && strings.Contains(string(shown), "owned")
	})
	for line := range strings.Lines(string(shown)) {
		if strings.Contains(line, "owned") {
			r.came("%q", strings.TrimSpace(line))
		}
	}
	if strings.ContainsAny(string(shown), "\x1b\a\u202e") {
		t.Errorf("control characters reach the terminal: %q", shown)
	}
}
