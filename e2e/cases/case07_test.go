package cases

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
)

// An invitation is an attachment whose type has a parameter.
func TestCase07AnInvitationIsSent(t *testing.T) {
	r := newRig(t)
	r.startAPI()
	r.startWorker()
	answer := r.post(r.input("ics-type.json"))
	r.came("Enqueue: %s", answer)
	var reply struct{ Result struct{ ID string } }
	if err := json.Unmarshal([]byte(answer), &reply); err != nil || reply.Result.ID == "" {
		t.Fatalf("Enqueue answered %s", answer)
	}
	var found []sandbox.Mail
	eventually(t, 10*time.Second, "the email is sent", func() bool {
		found = r.sendgrid.Find(sandbox.Filter{StatsID: reply.Result.ID})
		return len(found) > 0
	})
	var sent struct{ Attachments []struct{ Type string } }
	if err := json.Unmarshal(found[0].Body, &sent); err != nil || len(sent.Attachments) != 1 || sent.Attachments[0].Type != "text/calendar; method=REQUEST" {
		t.Errorf("SendGrid got the attachments %v (%v)", sent.Attachments, err)
	}
}
