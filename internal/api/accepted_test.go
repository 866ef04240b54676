package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"

	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/internal/testenv"
	"github.com/levenlabs/postmaster/pkg/job"
)

// referee stands before the sandbox and holds each body against SendGrid's OpenAPI document.
type referee struct {
	doc     *openapi3.T
	schema  *openapi3.Schema
	sandbox *httputil.ReverseProxy
	mu      sync.Mutex
	fault   error // of the last body
}

func newReferee(t *testing.T, sandbox string) *referee {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../sandbox/mailsend/testdata/tsg_mail_v3.patched.json")
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(sandbox)
	if err != nil {
		t.Fatal(err)
	}
	body := doc.Paths.Value("/v3/mail/send").Post.RequestBody.Value
	return &referee{
		doc: doc, schema: body.Content.Get("application/json").Schema.Value, sandbox: httputil.NewSingleHostReverseProxy(target),
	}
}

func (r *referee) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	raw, err := io.ReadAll(req.Body)
	if err == nil {
		err = r.check(raw)
	}
	r.mu.Lock()
	r.fault = err
	r.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(raw))
	r.sandbox.ServeHTTP(w, req)
}

func (r *referee) check(raw []byte) error {
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return err
	}
	email := openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForEmail)
	return r.doc.ValidateSchemaJSON(r.schema, tree,
		openapi3.EnableJSONSchema2020(), openapi3.EnableFormatValidation(), openapi3.WithStringFormatValidator("email", email))
}

func (r *referee) lastFault() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

// TestWhatIsEnqueuedIsAcceptedBySendGrid: random mails that keep to the manual are taken, random mails of any kind are
// taken or refused with a reason, and whatever is taken is a body that the OpenAPI document and the sandbox accept.
func TestWhatIsEnqueuedIsAcceptedBySendGrid(t *testing.T) {
	t.Parallel()
	enqueueAndSend(t, 8)
}

func TestHeavyWhatIsEnqueuedIsAcceptedBySendGrid(t *testing.T) {
	testenv.Heavy(t)
	enqueueAndSend(t, 100)
}

// enqueueAndSend tries a hundred times as many mails.
func enqueueAndSend(t *testing.T, mails int) {
	ref := newReferee(t, sandboxtest.RunT(t, sandboxtest.Keep(10)).URL())
	front := httptest.NewServer(ref)
	defer front.Close()
	sender := sendgrid.New(sendgrid.Config{Key: "SG.x", URL: front.URL}, strings.Repeat("e", job.MaxEnvironment), 1)
	defer sender.Close()
	q := &memory{}
	s := start(t, defaults(), Deps{Queue: q, Keys: forgetful{}})

	sent, odd := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		for range mails {
			m := randomMail(rt)
			spoiled := rapid.IntRange(0, 3).Draw(rt, "spoil") == 0
			if spoiled {
				name := rapid.SampledFrom(memberNames(job.Email{})).Draw(rt, "field")
				m[name] = rapid.SampledFrom(oddValues).Draw(rt, "value")
			}
			var got enqueued
			if rpc := s.do(t, "Postmaster.Enqueue", m, &got); rpc != nil {
				if !spoiled || rpc.Code != CodeInvalidParams {
					rt.Fatalf("mail %v: %v", m, rpc)
				}
				odd++
				continue
			}
			e := q.last(rt)
			mail, err := job.DecodeEmail(e.ID, e.Contents)
			if err != nil {
				rt.Fatalf("mail %v: %v", m, err)
			}
			result := sender.Send(t.Context(), mail)
			if fault := ref.lastFault(); fault != nil || result.Outcome != sendgrid.Accepted {
				rt.Fatalf("mail %v: %v, %s; document: %v", m, result.Outcome, result.Reason(), fault)
			}
			sent++
		}
	})
	if sent < odd || odd == 0 {
		t.Errorf("%d sent, %d refused: the mails are not varied enough", sent, odd)
	}
}

// last takes the latest event.
func (m *memory) last(rt *rapid.T) (e struct {
	ID       string
	Contents []byte
}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.events) == 0 {
		rt.Fatalf("nothing queued")
	}
	e.ID, e.Contents = m.events[len(m.events)-1].ID, m.events[len(m.events)-1].Contents
	m.events = nil
	return e
}

var oddValues = []any{
	nil, true, 0, 1, -1, 1.5, 4_000_000_000, "", " ", "x", "nope@", "a@b", "größe@example.com", "a@größe.example", "a@[127.0.0.1]",
	"a@example.com,", "<a@example.com>", "a;b", "a\r\nb", "a\x00b", "\u202e", "\u2028", "d-1", "high", "hold", strings.Repeat("y", 257), strings.Repeat("ü", 600),
	[]any{}, []any{"x"}, []any{"x", "x"}, []any{nil}, []any{map[string]any{}}, []any{map[string]any{"email": "rcpt@example.com"}},
	[]any{map[string]any{"email": "cc@example.com", "name": "a,b;c\"d"}}, []any{map[string]any{"content": "QQ==", "filename": "ü \"x\""}},
	map[string]any{}, map[string]any{"x": "y"}, map[string]any{"": ""}, map[string]any{"To": "x"}, map[string]any{"a b": "x"},
	map[string]any{"X-A": "ü"}, map[string]any{"ü": "x"}, map[string]any{"x": nil}, map[string]any{"x": 1},
}

// randomMail keeps to the manual.
func randomMail(rt *rapid.T) map[string]any {
	line := rapid.StringMatching(`[ -~äéß€😀عל]{1,60}`)
	local := rapid.StringMatching(`[a-zA-Z0-9!#$%&'*+/=?^_{|}~-]{1,32}(\.[a-zA-Z0-9ü+-]{1,15})?`)
	n := 0
	address := func() string {
		n++
		return fmt.Sprintf("%s@%d.%s", local.Draw(rt, "local"), n, rapid.SampledFrom([]string{"example.com", "b", "test", "exämple.org"}).Draw(rt, "domain"))
	}
	m := map[string]any{
		"to": address(), "from": "Sender+x@mail.example.com", "subject": line.Draw(rt, "subject"), "flags": rapid.Int64().Draw(rt, "flags") &^ 1,
	}
	m[rapid.SampledFrom([]string{"html", "text"}).Draw(rt, "body")] = rapid.StringN(1, 200, -1).Draw(rt, "content")
	people := func() []any {
		var list []any
		for range rapid.IntRange(1, 4).Draw(rt, "people") {
			list = append(list, map[string]any{"email": address(), "name": line.Draw(rt, "name")})
		}
		return list
	}
	names := func(key, value *rapid.Generator[string]) map[string]string {
		return rapid.MapOfN(key, value, 0, 4).Draw(rt, "names")
	}
	for _, f := range []struct {
		name  string
		value func() any
	}{
		{"toName", func() any { return line.Draw(rt, "toName") }},
		{"fromName", func() any { return line.Draw(rt, "fromName") }},
		{"replyTo", func() any { return address() }},
		{"uniqueID", func() any { return line.Draw(rt, "uniqueID") }},
		{"cc", func() any { return people() }},
		{"bcc", func() any { return people() }},
		{"uniqueArgs", func() any { return names(line, rapid.StringN(0, 60, 256)) }},
		{"headers", func() any {
			return names(rapid.StringMatching(`X-[a-z]{1,10}[!#$]?`), rapid.StringMatching(`[ -~\t]{0,80}`))
		}},
		{"categories", func() any {
			return rapid.SliceOfNDistinct(rapid.StringMatching(`[ -~]{1,30}`), 0, 10, rapid.ID[string]).Draw(rt, "categories")
		}},
		{"attachments", func() any { return []any{randomAttachment(rt)} }},
		{"asmGroupID", func() any { return rapid.IntRange(0, 1<<31).Draw(rt, "group") }},
		{"ipPool", func() any { return rapid.StringMatching(`[a-zä ]{2,30}[a-z]{0,30}`).Draw(rt, "pool") }},
		{"priority", func() any { return rapid.SampledFrom([]string{"", "high", "normal"}).Draw(rt, "priority") }},
		{"onUnknown", func() any { return rapid.SampledFrom([]string{"", "resend", "hold"}).Draw(rt, "onUnknown") }},
		{"sendBefore", func() any { return rapid.Int64Range(0, job.MaxTime).Draw(rt, "sendBefore") }},
		{"templateID", func() any { return "d-" + rapid.StringMatching(`[0-9a-f]{32}`).Draw(rt, "template") }},
	} {
		if rapid.Bool().Draw(rt, "with "+f.name) {
			m[f.name] = f.value()
		}
	}
	if m["templateID"] != nil && rapid.Bool().Draw(rt, "with data") {
		m["templateData"] = rapid.MapOfN(rapid.String(), rapid.String(), 0, 5).Draw(rt, "data")
	}
	return m
}

func randomAttachment(rt *rapid.T) map[string]any {
	word := rapid.StringMatching(`[!-:<-~é]{1,40}`)
	return map[string]any{
		"content":     base64.StdEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(rt, "bytes")),
		"filename":    word.Draw(rt, "filename"),
		"type":        word.Draw(rt, "type"),
		"contentID":   word.Draw(rt, "contentID"),
		"disposition": rapid.SampledFrom([]string{"", "inline", "attachment"}).Draw(rt, "disposition"),
	}
}
