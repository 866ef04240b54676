package sendgrid

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/levenlabs/postmaster/pkg/job"
)

func full() *job.Email {
	return &job.Email{
		ID: "6920d5c40000000000000001", To: "to@example.com", ToName: "To <x>", From: "from@example.com", FromName: "From",
		Subject: "a < b & c", Text: "text\n\"quoted\" \\ \t\x01 \u2028", HTML: "<p>é & ü</p>", ReplyTo: "reply@example.com",
		UniqueArgs: map[string]string{"order": "17"}, Flags: 6, UniqueID: "u",
		CC: []job.Address{{Email: "cc@example.com", Name: "C"}}, BCC: []job.Address{{Email: "bcc@example.com"}},
		Headers: map[string]string{"X-A": "b"}, Categories: []string{"one", "two"},
		Attachments: []job.Attachment{
			{Content: "aGk=", Filename: "a \"1\".txt", Type: "text/plain"},
			{Content: "aGk=", Filename: "i.png", Disposition: "inline", ContentID: "img"},
		},
		ASMGroupID: 4, IPPool: "pool", SendAt: 1 << 40, SendBefore: 1 << 41,
	}
}

func encoded(t *testing.T, e *job.Email, pool string) map[string]any {
	t.Helper()
	data, err := appendBody(nil, e, "staging", pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

func TestBodyHasEveryField(t *testing.T) {
	t.Parallel()
	var want map[string]any
	const golden = `{
		"from": {"name": "From", "email": "from@example.com"}, "subject": "a < b & c",
		"personalizations": [{"to": [{"name": "To <x>", "email": "to@example.com"}],
			"cc": [{"name": "C", "email": "cc@example.com"}], "bcc": [{"email": "bcc@example.com"}]}],
		"content": [{"type": "text/plain", "value": "text\n\"quoted\" \\ \t\u0001 \u2028"}, {"type": "text/html", "value": "<p>é & ü</p>"}],
		"attachments": [{"content": "aGk=", "filename": "a \"1\".txt", "type": "text/plain"},
			{"content": "aGk=", "filename": "i.png", "disposition": "inline", "content_id": "img"}],
		"headers": {"X-A": "b"}, "categories": ["one", "two"], "asm": {"group_id": 4}, "ip_pool_name": "pool",
		"custom_args": {"order": "17", "pmStatsID": "6920d5c40000000000000001", "pmEnvID": "staging", "pmFold": "1.6.N6DiilnBrrHe"},
		"reply_to": {"email": "reply@example.com"}}`
	if err := json.Unmarshal([]byte(golden), &want); err != nil {
		t.Fatal(err)
	}
	if got := encoded(t, full(), "default"); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestIPPoolOfTheFlagIsForMailsWithoutOne(t *testing.T) {
	t.Parallel()
	if got := encoded(t, small(), "default")["ip_pool_name"]; got != "default" {
		t.Errorf("ip_pool_name = %v", got)
	}
}

func TestTemplateDataGoesWhereItsTemplateLooks(t *testing.T) {
	t.Parallel()
	e := small()
	e.Text, e.TemplateData = "", json.RawMessage(`{"name":"<Ann>","n":12345678901234567890,"list":[1,{"a":null}]}`)
	e.TemplateID = "d-1"
	data, err := appendBody(nil, e, "test", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	const dynamic = `"dynamic_template_data":{"list":[1,{"a":null}],"n":12345678901234567890,"name":"<Ann>"}`
	if !strings.Contains(string(data), dynamic) || strings.Contains(string(data), `"content"`) {
		t.Errorf("%s lacks %s", data, dynamic)
	}
	e.TemplateID = "legacy"
	if data, err = appendBody(nil, e, "test", "", nil); err != nil {
		t.Fatal(err)
	}
	const legacy = `"substitutions":{"list":"[1,{\"a\":null}]","n":"12345678901234567890","name":"<Ann>"}`
	if !strings.Contains(string(data), legacy) {
		t.Errorf("%s lacks %s", data, legacy)
	}
}

func TestTemplateDataThatIsNoObjectIsRejectedUnsent(t *testing.T) {
	t.Parallel()
	e := small()
	e.TemplateID, e.TemplateData = "d-1", json.RawMessage(`[1]`)
	c := New(Config{Key: "k", URL: "http://127.0.0.1:1"}, "test", 1)
	if got := c.Send(t.Context(), e); got.Outcome != Rejected || len(got.Errors) != 1 {
		t.Errorf("%+v, want rejected with the reason", got)
	}
}

// Clients share buffers between mails and connections between senders: no mail may ever carry another's bytes.
func TestConcurrentMailsArriveWholeAndOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct {
			Subject string                   `json:"subject"`
			Content []struct{ Value string } `json:"content"`
			Args    map[string]string        `json:"custom_args"`
		}
		if b, _ := io.ReadAll(r.Body); json.Unmarshal(b, &m) != nil || m.Content[0].Value != strings.Repeat(m.Subject, 100) {
			t.Errorf("corrupt body: %.200s", b)
		}
		for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key", "Content-Encoding"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s is set", name)
			}
		}
		if r.Header.Get("Authorization") != "Bearer SG.key" || r.Header.Get("Accept") == "" || r.URL.Path != "/v3/mail/send" {
			t.Errorf("%s %v", r.URL.Path, r.Header)
		}
		mu.Lock()
		seen[m.Args[job.ArgStatsID]]++
		mu.Unlock()
		w.Header().Set("X-Message-Id", m.Subject)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer srv.Close()
	c := New(Config{Key: "SG.key", URL: srv.URL + "/"}, "test", 16)
	defer c.Close()
	var wg sync.WaitGroup
	const senders, each = 16, 50
	for range senders {
		wg.Go(func() {
			for range each {
				e := small()
				e.Subject = string(e.ID)
				e.Text = strings.Repeat(e.Subject, 100)
				if r := c.Send(t.Context(), e); r.Outcome != Accepted || r.MessageID != e.Subject {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	wg.Wait()
	if len(seen) != senders*each {
		t.Errorf("%d mails arrived, want %d", len(seen), senders*each)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("mail %s arrived %d times", id, n)
		}
	}
}

// The body of a 30 MB mail is written once, into a buffer that does not grow on the way.
func TestLargeMailIsCopiedOnce(t *testing.T) {
	e := large()
	size := len(e.Attachments[0].Content)
	res := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := appendBody(nil, e, "test", "", nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	if got := res.AllocedBytesPerOp(); got > int64(size+size/8) {
		t.Errorf("%d bytes allocated to encode %d", got, size)
	}
}
