package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox"
	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
)

func TestAcceptedMailIsProcessedDeliveredAndOpened(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t)
	s := sandboxtest.RunT(t, sandboxtest.WebhookURL("http://any:secret@"+strings.TrimPrefix(hook.URL, "http://")))
	hook.verifyWith(s.PublicKey())

	id := send(t, s, mailTo("alex@example.net", "6920d5c40000000000000001"))
	events := hook.waitFor(t, "alex@example.net", "processed", "delivered", "open")
	for _, e := range events {
		if e["pmStatsID"] != "6920d5c40000000000000001" || e["pmEnvID"] != "test" || fmt.Sprint(e["category"]) != "[orders]" {
			t.Errorf("custom args are not at the top level: %v", e)
		}
		if messageID, _ := e["sg_message_id"].(string); !strings.HasPrefix(messageID, id+".recvd-") {
			t.Errorf("sg_message_id %q does not begin with the X-Message-Id %q", messageID, id)
		}
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	for _, body := range hook.bodies {
		if !strings.HasPrefix(body, "[{") || !strings.HasSuffix(body, "}]\r\n") {
			t.Errorf("body %q, want [{…}]CRLF", body)
		}
	}
	for _, req := range hook.posts {
		if req.UserAgent() != "SendGrid Event API" || req.Header.Get("Content-Type") != "application/json;charset=utf-8" {
			t.Errorf("headers %v, want SendGrid's", req.Header)
		}
		if _, password, _ := req.BasicAuth(); password != "secret" {
			t.Errorf("basic auth password %q, want the URL's", password)
		}
	}
}

func TestRecipientsDoWhatTheirNameSays(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t)
	s := sandboxtest.RunT(t, sandboxtest.WebhookURL(hook.URL))
	tests := []struct {
		to     string
		events []string
		last   map[string]string // fields of the last event
	}{
		{"bounce@example.com", []string{"processed", "bounce"}, map[string]string{
			"type": "bounce", "reason": "550 5.1.1 The email account that you tried to reach does not exist.", "status": "5.1.1",
		}},
		{"Block+7@example.com", []string{"processed", "bounce"}, map[string]string{"type": "blocked", "status": "5.7.1"}},
		{"spam+a+b@example.com", []string{"processed", "delivered", "spamreport"}, nil},
		{"drop@example.com", []string{"dropped"}, map[string]string{"reason": "Bounced Address"}},
		{"defer@example.com", []string{"processed", "deferred", "delivered"}, map[string]string{"tls": "1"}},
		{"unsub@example.com", []string{"processed", "delivered", "unsubscribe"}, nil},
		{"click@example.com", []string{"processed", "delivered", "open", "click"}, map[string]string{"url": "https://example.com/"}},
		{"noopen@example.com", []string{"processed", "delivered"}, map[string]string{"event": "delivered"}},
		{"bouncer@example.com", []string{"processed", "delivered", "open"}, map[string]string{"sg_machine_open": "false"}},
	}
	for _, tt := range tests {
		send(t, s, mailTo(tt.to, "x"))
	}
	for _, tt := range tests {
		events := hook.waitFor(t, tt.to, tt.events...)
		for field, want := range tt.last {
			if got := fmt.Sprint(events[len(events)-1][field]); got != want {
				t.Errorf("%s: %s is %q, want %q", tt.to, field, got, want)
			}
		}
	}
	eventually(t, "nothing left to post", func() bool { return s.Counters().Webhook.Buffered == 0 })
	for _, tt := range tests {
		if names, _ := hook.of(tt.to); len(names) != len(tt.events) {
			t.Errorf("%s: events %v, want %v", tt.to, names, tt.events)
		}
	}
}

func TestEveryRecipientHasEventsOfItsOwn(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t)
	s := sandboxtest.RunT(t, sandboxtest.WebhookURL(hook.URL))
	body := mailTo("alex@example.com", "first")
	body = strings.Replace(body, `"custom_args"`, `"cc":[{"email":"bounce@example.com"}],"bcc":[{"email":"bob@example.com"}],"custom_args"`, 1)
	body = strings.Replace(body, `}],
		"from"`, `},{"to":[{"email":"carla@example.com"}],"custom_args":{"pmStatsID":"second"}}],
		"from"`, 1)
	send(t, s, body)
	for to, want := range map[string]string{"alex@example.com": "first", "bob@example.com": "first", "carla@example.com": "second"} {
		for _, e := range hook.waitFor(t, to, "processed", "delivered", "open") {
			if e["pmStatsID"] != want {
				t.Errorf("%s: pmStatsID %v, want %s", to, e["pmStatsID"], want)
			}
		}
	}
	hook.waitFor(t, "bounce@example.com", "processed", "bounce")
	if s.Accepted("first") != 1 || s.Accepted("second") != 1 {
		t.Error("each personalization counts for its own pmStatsID")
	}
}

func TestSendGridsFieldsWinOverCustomArgs(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t)
	s := sandboxtest.RunT(t, sandboxtest.WebhookURL(hook.URL))
	args := `"custom_args":{"event":"fake","email":"fake","timestamp":"fake","sg_event_id":"fake","smtp-id":"fake","reason":"fake",` +
		`"quote":"a \"b\" \\ <c> \u2028 größe","pmStatsID":"x"}`
	body := strings.Replace(mailTo("alex@example.com", "x"), `"custom_args":{"pmStatsID":"x","pmEnvID":"test"}`, args, 1)
	send(t, s, body)
	for _, e := range hook.waitFor(t, "alex@example.com", "processed", "delivered", "open") {
		for field, value := range e {
			if value == "fake" {
				t.Errorf("%s is the custom arg's", field)
			}
		}
		if e["quote"] != "a \"b\" \\ <c> \u2028 größe" {
			t.Errorf("quote is %q", e["quote"])
		}
	}
}

func TestRefusedEventsComeAgain(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t)
	hook.failNext(4)
	s := sandboxtest.RunT(t, sandboxtest.WebhookURL(hook.URL))
	hook.verifyWith(s.PublicKey())
	id := send(t, s, mailTo("alex@example.com", "x"))
	eventually(t, "three events in spite of four refusals", func() bool {
		names, _ := hook.of("alex@example.com")
		return len(names) == 3
	})
	eventually(t, "the answers are noted on the mail", func() bool {
		m, _ := s.Mail(id)
		posts := 0
		for _, e := range m.Events {
			if !e.Answered || e.Status != 200 {
				return false
			}
			posts += e.Posts
		}
		return len(m.Events) == 3 && posts >= 3+4 && s.Counters().Webhook.Refused == 4
	})
}

func TestCopiesAreTheSameEventInRandomOrder(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t)
	s := sandboxtest.RunT(t, sandboxtest.WebhookURL(hook.URL), sandboxtest.Events(sandbox.WebhookConfig{Copies: 3, Shuffle: true}))
	const mails = 20
	for i := range mails {
		send(t, s, mailTo(fmt.Sprintf("to%d@example.com", i), "x"))
	}
	eventually(t, "all copies", func() bool { return hook.count() == mails*3*3 })
	inOrder := 0
	for i := range mails {
		names, events := hook.of(fmt.Sprintf("to%d@example.com", i))
		ids := map[any]int{}
		for _, e := range events {
			ids[e["sg_event_id"]]++
		}
		if len(ids) != 3 {
			t.Errorf("%d different events, want 3 sent three times each", len(ids))
		}
		if slices.IsSortedFunc(names, func(a, b string) int { return stage(a) - stage(b) }) {
			inOrder++
		}
	}
	if inOrder == mails {
		t.Error("every mail's events came in their order, in spite of Shuffle")
	}
}

func stage(event string) int { return slices.Index([]string{"processed", "delivered", "open"}, event) }

func TestEventsWithoutAWebhookAreSeenInTheInboxOnly(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	id := send(t, s, mailTo("alex@example.com", "x"))
	eventually(t, "three events on the mail", func() bool { m, _ := s.Mail(id); return len(m.Events) == 3 })

	hook := newReceiver(t)
	if err := s.SetWebhookURL(hook.URL); err != nil {
		t.Fatal(err)
	}
	if n, err := s.MakeEvent(id, sandbox.EventRequest{Kind: sandbox.SpamReport}); n != 1 || err != nil {
		t.Fatalf("MakeEvent: %d, %v; want 1 recipient", n, err)
	}
	hook.waitFor(t, "alex@example.com", "spamreport")
}

func TestEventsWaitForSendAt(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	at := time.Now().Add(time.Hour).Unix()
	later := send(t, s, strings.Replace(mailTo("alex@example.com", "later"), `"subject"`, fmt.Sprintf(`"send_at":%d,"subject"`, at), 1))
	now := send(t, s, mailTo("alex@example.com", "now"))
	eventually(t, "the other mail is opened", func() bool { m, _ := s.Mail(now); return len(m.Events) == 3 })
	if m, _ := s.Mail(later); len(m.Events) != 0 {
		t.Errorf("%d events of a mail for in an hour, want none", len(m.Events))
	}
}

func TestASeedRepeatsTheIDs(t *testing.T) {
	t.Parallel()
	first, again := sandboxtest.RunT(t), sandboxtest.RunT(t)
	for range 3 {
		a, b := send(t, first, mailTo("alex@example.com", "x")), send(t, again, mailTo("alex@example.com", "x"))
		if a != b {
			t.Errorf("message ids %q and %q, want the same of the same seed", a, b)
		}
	}
}
