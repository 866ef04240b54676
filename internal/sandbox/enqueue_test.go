package sandbox_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
)

// TestWhatPassesJobValidationIsAccepted: an email that could be enqueued must
// not be refused by SendGrid for a reason that could have been seen before.
func TestWhatPassesJobValidationIsAccepted(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	client := sendgrid.New(sendgrid.Config{Key: "SG.x", URL: s.URL()}, "test", 1)
	t.Cleanup(client.Close)
	valid := 0
	rapid.Check(t, func(rt *rapid.T) {
		e := drawEmail(rt)
		if e.Validate() != nil {
			return
		}
		valid++
		if result := client.Send(t.Context(), e); result.Outcome != sendgrid.Accepted {
			text, _ := json.Marshal(e)
			rt.Fatalf("%s: %s %+v", text, result.Outcome, result.Errors)
		}
	})
	if valid < 10 {
		t.Errorf("only %d valid emails: the test proves little", valid)
	}
}

// drawEmail leans towards the borders of what is allowed.
func drawEmail(t *rapid.T) *job.Email {
	text := func(label string, some ...string) string {
		return rapid.OneOf(rapid.SampledFrom(some), rapid.StringN(0, 20, 60)).Draw(t, label)
	}
	address := func(label string) string {
		return rapid.SampledFrom([]string{
			"alex@example.com", "ALEX@example.com", "b+c@example.com", "größe@example.com", "a@bücher.example", "a@[127.0.0.1]", "a'b@example.com",
			"a@b", `"quoted"@example.com`, "a..b@example.com", "a,b@example.com", "a;b@example.com", "x@" + strings.Repeat("y", 240) + ".example",
			strings.Repeat("a", 64) + "@example.com",
		}).Draw(t, label)
	}
	e := &job.Email{
		ID: "6920d5c40000000000000001", To: address("to"), ToName: text("toName", "", "Müller; Alex, \"A\""),
		From: rapid.SampledFrom([]string{"shop@example.com", "a'b@example.com", "shop@[127.0.0.1]"}).Draw(t, "from"), FromName: text("fromName", "", "Shop"),
		Subject: text("subject", "Hello", "", strings.Repeat("s", 998)), Text: text("text", "", "hi\x00\r\n"), HTML: text("html", "", "<p>\u2028"),
	}
	if rapid.Bool().Draw(t, "more") {
		e.ReplyTo = address("replyTo")
		e.CC = []job.Address{{Email: address("cc"), Name: text("ccName", "")}}
		e.BCC = []job.Address{{Email: address("bcc")}}
		e.UniqueArgs = rapid.MapOfN(rapid.StringN(1, 50, 256), rapid.StringN(0, 50, 256), 0, 40).Draw(t, "args")
		e.Headers = map[string]string{text("header", "X-A", "List-Unsubscribe", "reply-TO"): text("value", "a\tb", "<https://example.com>")}
		e.Categories = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b ", " ", strings.Repeat("c", 255), "é"}), 0, 4).Draw(t, "categories")
		e.ASMGroupID, e.IPPool = rapid.IntRange(0, 3).Draw(t, "group"), text("pool", "", "ab", strings.Repeat("é", 64))
		e.Attachments = []job.Attachment{{
			Content:  base64.StdEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "content")),
			Filename: text("filename", "a \"b\".txt"), Type: text("type", "", "text/plain"), ContentID: text("cid", "", "x"),
			Disposition: rapid.SampledFrom([]string{"", "inline", "attachment"}).Draw(t, "disposition"),
		}}
		e.TemplateID = rapid.SampledFrom([]string{"", "d-1", "0123"}).Draw(t, "template")
		if rapid.Bool().Draw(t, "withData") {
			e.TemplateData = json.RawMessage(rapid.SampledFrom([]string{`{}`, `{"a":{"b":[1,null]}}`, `null`, ` {"a":"\u00e9"}`}).Draw(t, "data"))
		}
	}
	return e
}
