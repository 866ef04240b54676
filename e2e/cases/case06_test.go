package cases

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
)

// A recipient unsubscribes under one spelling of their address, and email to the others is not sent.
func TestCase06AMailboxIsOneInAllItsSpellings(t *testing.T) {
	r := newRig(t)
	r.startAPI()
	r.startWorker("--environment", "production")
	r.startHooks()
	const inASCII, inUnicode = "kunde@xn--bcher-kva.example", "kunde@bücher.example"
	first := r.enqueue(inASCII, `,"flags":4`)
	r.unsubscribe(first)
	eventually(t, 20*time.Second, "the unsubscribe is folded", func() bool { return r.flags(inASCII) == 4 })
	for _, to := range []string{inUnicode, "Kunde@BÜCHER.example", "kunde@bu\u0308cher.example", "KUNDE@XN--BCHER-KVA.example"} {
		id := r.enqueue(to, `,"flags":4`)
		state := r.settled(id)
		r.came("unsubscribe of %s, then an email to %+q: %s, posts of it %d", inASCII, to, state, r.sendgrid.Accepted(id))
		if state != "optedOut" || r.sendgrid.Accepted(id) != 0 {
			t.Errorf("email to %+q is %q, want optedOut", to, state)
		}
		if got := r.flags(to); got != 4 {
			t.Errorf("flags of %+q = %d, want 4", to, got)
		}
	}

	var set struct{ Success bool }
	r.result("UpdatePrefs", `{"email":"`+inUnicode+`","flags":1}`, &set)
	if got := r.flags(inASCII); got != 1 {
		t.Errorf("flags of %s = %d after all was allowed for %s, want 1", inASCII, got, inUnicode)
	}
	answer := r.call("Enqueue", fmt.Sprintf(`{"to":"%s","cc":[{"email":"%s"}],"from":"shop@example.org","subject":"s","text":"t"}`, inASCII, inUnicode))
	r.came("the same mailbox as to and cc: %s", answer)
	if !strings.Contains(answer, `"code":-32602`) {
		t.Errorf("the same mailbox as to and cc answers %s, want -32602", answer)
	}
}

// unsubscribe waits until an email is with SendGrid, and has its recipient unsubscribe.
func (r *rig) unsubscribe(id string) {
	r.t.Helper()
	eventually(r.t, 20*time.Second, "the email is sent", func() bool { return len(r.sendgrid.Find(sandbox.Filter{StatsID: id})) == 1 })
	message := r.sendgrid.Find(sandbox.Filter{StatsID: id})[0].ID
	if _, err := r.sendgrid.MakeEvent(message, sandbox.EventRequest{Kind: "unsubscribe"}); err != nil {
		r.t.Fatal(err)
	}
}

// flags are those of an address as GetPrefs tells them.
func (r *rig) flags(address string) int64 {
	r.t.Helper()
	var result struct{ Flags int64 }
	r.result("GetPrefs", `{"email":"`+address+`"}`, &result)
	return result.Flags
}

// settled is where an email stands once nothing is left to do about it.
func (r *rig) settled(id string) (state string) {
	r.t.Helper()
	eventually(r.t, 20*time.Second, "the email is settled", func() bool {
		state = r.state(id)
		return state == "accepted" || state == "optedOut" || state == "dead" || state == "rejected"
	})
	return state
}
