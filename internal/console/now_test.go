package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// cells are a queue's numbers on the page, by their labels.
func cells(page, queue string) map[string]string {
	_, row, _ := strings.Cut(page, `<tr id="q-`+queue+`">`)
	row, _, _ = strings.Cut(row, "</tr>")
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`<td data-label="([^"]+)">(?:<b>)?([^<]*)`).FindAllStringSubmatch(row, -1) {
		found[m[1]] = m[2]
	}
	return found
}

func TestNowTellsHowTheQueuesStand(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 3 {
		r.enqueue(mail("ann@example.com"))
	}
	r.enqueue(mail("ann@example.com"), okq.Delay(time.Hour))
	events, err := r.okq.Pop(t.Context(), job.QueueEmailNormal, 2, time.Hour)
	if err != nil || len(events) != 2 {
		t.Fatalf("popped %v, %v", events, err)
	}
	if err := r.okq.Push(t.Context(), okq.Event{Queue: job.QueueEmailDead, ID: "1", Contents: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	unknown := stats.Subject{ID: job.NewID(), Recipient: "ann@example.com", Created: time.Now()}
	if err := r.stores.Stats.Settle(t.Context(), []stats.Settlement{{Subject: unknown, Number: 1, State: stats.Unknown, At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	v := r.visitor()
	var page string
	r.eventually("the page shows the queue", func() bool {
		status, body := v.get("/")
		if status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
		page = body
		return cells(body, job.QueueEmailNormal)["Leased"] == "2" && strings.Contains(body, `<dt>Unknown outcomes open</dt><dd><a href="/mails?unknown=1">1</a></dd>`)
	})
	got := cells(page, job.QueueEmailNormal)
	for label, want := range map[string]string{"Total": "4", "Ready": "1", "Leased": "2", "Delayed": "1", "Consumers": "0"} {
		if got[label] != want {
			t.Errorf("%s = %q, want %q", label, got[label], want)
		}
	}
	if got["Oldest"] == "–" {
		t.Error("the age of the oldest ready mail is not told")
	}
	if !strings.Contains(page, `<dt>Dead letters</dt><dd><a href="/dead">1</a></dd>`) || !strings.Contains(page, `<dt>Mails waiting</dt><dd>4</dd>`) {
		t.Errorf("the numbers above are wrong: %s", page)
	}
}

func TestAQueueThatIsAwayIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.visitor()
	r.eventually("there are numbers", func() bool {
		_, body := v.get("/")
		return strings.Contains(body, "As of")
	})
	r.okq.Close()
	r.eventually("the page says so", func() bool {
		_, body := v.get("/")
		return strings.Contains(body, "The queue does not answer: these are the numbers of") && strings.Contains(body, job.QueueEmailNormal)
	})
}

func TestNowWarnsWhileEveryWebhookEventIsDropped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.visitor()
	banner := func() bool {
		_, body := v.get("/")
		return strings.Contains(body, "pm-hooks drops every webhook event") && strings.Contains(body, "<b>bl&lt;ue</b>") && strings.Contains(body, "<b>production</b>")
	}
	write := func(at time.Time) okq.Event {
		contents, err := (&job.Dropping{At: at.Unix(), Environments: []string{"bl<ue"}, Accepted: []string{"production", "staging"}}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		return okq.Event{Queue: job.QueueHooks, ID: job.DroppingID, Contents: contents}
	}
	if err := r.okq.Push(t.Context(), write(time.Now())); err != nil {
		t.Fatal(err)
	}
	r.eventually("the page warns", banner)
	if ok, err := r.okq.Replace(t.Context(), write(time.Now().Add(-time.Hour)), 0); err != nil || !ok {
		t.Fatal(ok, err)
	}
	r.eventually("the page warns no longer", func() bool { return !banner() })
}
