package sandbox_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
)

func TestAcceptedMailIsProcessedDeliveredAndOpened(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t)
	s := sandboxtest.RunT(t, sandboxtest.WebhookURL("http://any:secret@"+strings.TrimPrefix(hook.URL, "http://")))
	hook.key = s.PublicKey()

	id := send(t, s, mailTo("alex@example.net", "6920d5c40000000000000001"))
	eventually(t, "three events", func() bool { names, _ := hook.of("alex@example.net"); return len(names) == 3 })

	names, events := hook.of("alex@example.net")
	if want := []string{"processed", "delivered", "open"}; !slices.Equal(names, want) {
		t.Fatalf("events %v, want %v", names, want)
	}
	for _, e := range events {
		if e["pmStatsID"] != "6920d5c40000000000000001" || e["pmEnvID"] != "test" {
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
	if got := s.Accepted("6920d5c40000000000000001"); got != 1 {
		t.Errorf("accepted %d times, want 1", got)
	}
}
