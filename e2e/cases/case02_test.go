package cases

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// An email's own refusal, however worded, holds no others, and ends as a dead letter with SendGrid's words.
func TestCase02RefusedEmailsHoldNoOthers(t *testing.T) {
	t.Parallel()
	refuse := func(status int, message string, html bool) faults.Rule {
		return faults.Rule{Fault: faults.Refuse, Probability: 1, From: "bad@example.org", Status: status, Message: message, HTML: html}
	}
	for name, tc := range map[string]struct {
		rule     faults.Rule
		bad, all int
	}{
		"two emails first":   {refuse(403, "You are not authorized to send from that email address", false), 2, 52},
		"one in 60":          {refuse(403, "You are not authorized to send from that email address", false), 4, 240},
		"one in five":        {refuse(403, "You are not authorized to send from that email address", false), 48, 240},
		"HTML, one in five":  {refuse(403, "403 Forbidden", true), 48, 240},
		"a 401, one in five": {refuse(401, "Authenticated user is not authorized to send mail", false), 48, 240},
		"HTML 400, one in 5": {refuse(400, "400 Bad Request", true), 48, 240},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if err := r.sendgrid.SetFaults(tc.rule); err != nil {
				t.Fatal(err)
			}
			r.startAPI()
			r.startWorker()
			bad, good := map[string]bool{}, map[string]bool{}
			every := tc.all / tc.bad
			if strings.Contains(name, "first") {
				every = 1
			}
			began := time.Now()
			for i := range tc.all {
				if i%every == 0 && len(bad) < tc.bad {
					bad[r.enqueueFrom("bad@example.org", fmt.Sprintf("b%d@example.com", i))] = true
				} else {
					good[r.enqueue(fmt.Sprintf("g%d@example.com", i), "")] = true
				}
			}
			left := func() (n int) {
				for id := range good {
					if r.sendgrid.Accepted(id) == 0 {
						n++
					}
				}
				return n
			}
			for deadline := time.Now().Add(15 * time.Second); left() > 0 && time.Now().Before(deadline); {
				time.Sleep(50 * time.Millisecond)
			}
			took := time.Since(began).Round(100 * time.Millisecond)
			if n := left(); n > 0 {
				r.came("%s: %d of %d good emails sent in %v", name, len(good)-n, len(good), took)
				t.Fatalf("%d good emails wait", n)
			}
			letters := r.deadLetters(len(bad), time.Minute)
			r.came("%s: %d good emails sent in %v, %d dead letters after %v", name, len(good), took, len(letters), time.Since(began).Round(100*time.Millisecond))
			for _, l := range letters {
				if !bad[l.ID] || l.Reason != job.ReasonRejected || !strings.Contains(l.Detail, tc.rule.Message) {
					t.Errorf("letter %+v", l)
				}
			}
		})
	}
}

// enqueueFrom is enqueue for another sender.
func (r *rig) enqueueFrom(from, to string) string {
	r.t.Helper()
	var result struct{ ID string }
	r.result("Enqueue", `{"to":"`+to+`","from":"`+from+`","subject":"Hello","text":"It works."}`, &result)
	return result.ID
}

// deadLetters waits for so many dead letters and returns all there are.
func (r *rig) deadLetters(want int, limit time.Duration) (letters []*job.DeadLetter) {
	r.t.Helper()
	client, err := okq.New(okq.Options{Addrs: []string{r.okqd.Addr}})
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	eventually(r.t, limit, fmt.Sprintf("%d dead letters", want), func() bool {
		statuses, err := client.Status(r.t.Context(), job.QueueEmailDead)
		return err == nil && len(statuses) == 1 && int(statuses[0].Total) >= want
	})
	events, err := client.Pop(r.t.Context(), job.QueueEmailDead, 10*want+10, time.Minute)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range events {
		letter, err := job.DecodeDeadLetter(e.Contents)
		if err != nil {
			r.t.Fatal(err)
		}
		letters = append(letters, letter)
	}
	return letters
}
