package cases

import (
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
)

// GetEmail says why an email died: of an unknown outcome that is held, and of SendGrid's refusal.
func TestCase18GetEmailHasTheReasonOfADeath(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.startAPI()
	r.startWorker("--evidence-wait", "1s", "--unknown", "hold")
	if err := r.sendgrid.SetFaults(faults.Next(faults.ServerError, 1), faults.Always(faults.BadRequest)); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"dead", "rejected"} {
		id := r.enqueue("ann@example.com", "")
		var result struct {
			Email struct{ State, Reason string }
		}
		eventually(t, time.Minute, "the email is "+state, func() bool {
			r.result("GetEmail", `{"id":"`+id+`"}`, &result)
			return result.Email.State == state
		})
		r.came("GetEmail: %s, %q", state, result.Email.Reason)
		if result.Email.Reason == "" {
			t.Errorf("%s without a reason", state)
		}
	}
}
