package mailsend

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Unix(1_800_000_000, 0)

// fullBody uses every field that the document knows.
const fullBody = `{
	"personalizations": [{
		"to": [{"email": "alex@example.com", "name": "Alex"}],
		"cc": [{"email": "carla@example.com"}],
		"bcc": [{"email": "bob@example.com"}],
		"from": {"email": "orders@shop.example"},
		"subject": "Your order",
		"headers": {"X-Order": "42"},
		"custom_args": {"pmStatsID": "6920d5c40000000000000001"},
		"dynamic_template_data": {"order": 42, "lines": [{"sku": "a"}]},
		"send_at": 1800000100
	}],
	"from": {"email": "shop@shop.example", "name": "The Shop"},
	"reply_to": {"email": "help@shop.example"},
	"subject": "Hello",
	"content": [{"type": "text/plain", "value": "Hi"}, {"type": "text/html", "value": "<p>Hi"}],
	"attachments": [{"content": "aGVsbG8=", "type": "text/plain", "filename": "hello.txt", "disposition": "inline", "content_id": "h1"}],
	"template_id": "d-0123456789abcdef",
	"sections": {":a": "b"},
	"headers": {"List-Unsubscribe": "<https://shop.example/u>"},
	"categories": ["orders", "eu"],
	"custom_args": {"pmEnvID": "production"},
	"send_at": 1800000000,
	"batch_id": "abc",
	"asm": {"group_id": 7, "groups_to_display": [7, 8]},
	"ip_pool_name": "transactional",
	"mail_settings": {"bypass_list_management": {"enable": true}, "footer": {"enable": true, "text": "t", "html": "h"}, "sandbox_mode": {"enable": false}},
	"tracking_settings": {
		"click_tracking": {"enable": true, "enable_text": false},
		"open_tracking": {"enable": false, "substitution_tag": "%o%"},
		"subscription_tracking": {"enable": false, "text": "t", "html": "h", "substitution_tag": "s"},
		"ganalytics": {"enable": true, "utm_source": "a", "utm_medium": "b", "utm_term": "c", "utm_content": "d", "utm_campaign": "e"}
	},
	"something_new": {"a": [1, null]}
}`

const smallBody = `{
	"personalizations": [{"to": [{"email": "alex@example.com"}]}],
	"from": {"email": "shop@shop.example"},
	"subject": "Hello",
	"content": [{"type": "text/plain", "value": "Hi"}]
}`

// edit answers body with its field at path (dots between) set to the JSON in
// value; "" removes the field.
func edit(t testing.TB, body, path, value string) string {
	t.Helper()
	var tree any
	if err := json.Unmarshal([]byte(body), &tree); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(path, ".")
	at := tree
	for _, p := range parts[:len(parts)-1] {
		switch v := at.(type) {
		case map[string]any:
			at = v[p]
		case []any:
			at = v[int(p[0]-'0')]
		}
	}
	last := parts[len(parts)-1]
	switch v := at.(type) {
	case map[string]any:
		delete(v, last)
		if value != "" {
			v[last] = json.RawMessage(value)
		}
	case []any:
		v[int(last[0]-'0')] = json.RawMessage(value)
	}
	edited, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(edited)
}

func TestParseReadsWhatEventsAndPagesNeed(t *testing.T) {
	t.Parallel()
	m, issues := Parse([]byte(fullBody), now)
	if issues != nil {
		t.Fatalf("issues %+v, want none", issues)
	}
	var recipients []string
	for _, a := range m.Personalizations[0].Recipients() {
		recipients = append(recipients, a.Email)
	}
	if want := []string{"alex@example.com", "carla@example.com", "bob@example.com"}; !slices.Equal(recipients, want) {
		t.Errorf("recipients %v, want %v", recipients, want)
	}
	if args := m.Args(0); args["pmStatsID"] != "6920d5c40000000000000001" || args["pmEnvID"] != "production" {
		t.Errorf("args %v, want the request's and the personalization's", args)
	}
	if m.From.String() != "The Shop <shop@shop.example>" || m.Body("text/html") != "<p>Hi" || m.ASMGroupID != 7 || m.IPPool != "transactional" {
		t.Errorf("got %+v", m)
	}
	if a := m.Attachments[0]; a.Size != 5 || a.Filename != "hello.txt" {
		t.Errorf("attachment %+v, want hello.txt of 5 bytes", a)
	}
	if m.SandboxMode || !m.NoOpenTracking {
		t.Errorf("sandbox mode %v, open tracking off %v; want false, true", m.SandboxMode, m.NoOpenTracking)
	}
	if e := m.Envelope(); e.Content != nil || e.Personalizations[0].Headers != nil || m.Personalizations[0].Headers == nil {
		t.Error("the envelope must leave out contents and headers, and the mail must keep its own")
	}
}

func TestParseRefusesWhatSendGridRefuses(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	list := func(n int, format string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	tests := []struct {
		name, path, value, field string // an issue must be about field
	}{
		{"no from", "from", "", "from.email"},
		{"null from", "from", "null", "from"},
		{"address without @", "from.email", `"nope"`, "from.email"},
		{"Unicode sender", "from.email", `"bücher@shop.example"`, "from.email"},
		{"two @", "personalizations.0.to.0.email", `"a@b@c"`, "personalizations.0.to.0.email"},
		{"name in the address", "personalizations.0.to.0.email", `"Alex <alex@example.com>"`, "personalizations.0.to.0.email"},
		{"long local part", "personalizations.0.to.0.email", `"` + strings.Repeat("a", 65) + `@example.com"`, "personalizations.0.to.0.email"},
		{"line break in a name", "personalizations.0.to.0.name", `"a\r\nBcc: x@example.com"`, "personalizations.0.to.0.name"},
		{"no personalizations", "personalizations", "[]", "personalizations"},
		{"1,001 personalizations", "personalizations", list(1001, `{"to":[{"email":"a%d@example.com"}]}`), "personalizations"},
		{"1,001 recipients", "personalizations.0.to", list(999, `{"email":"a%d@example.com"}`), "personalizations"}, // cc and bcc count
		{"no to", "personalizations.0.to", "[]", "personalizations.0.to"},
		{"string for to", "personalizations.0.to", `"alex@example.com"`, "personalizations.0.to"},
		{"the same address in to and cc", "personalizations.0.cc.0.email", `"ALEX@example.com"`, "personalizations.0"},
		{"sender of another domain", "personalizations.0.from.email", `"a@other.example"`, "personalizations.0.from"},
		{"empty subject", "subject", `""`, "subject"},
		{"subject of two lines", "subject", `"a\nb"`, "subject"},
		{"reserved header", "headers", `{"REPLY-to":"x"}`, "headers.REPLY-to"},
		{"reserved header of one", "personalizations.0.headers", `{"Bcc":"x"}`, "personalizations.0.headers.Bcc"},
		{"header with a space", "headers", `{"X Order":"x"}`, "headers.X Order"},
		{"header injection", "headers", `{"X-Order":"x\r\nBcc: y"}`, "headers.X-Order"},
		{"header of two types", "headers", `{"X-Order":42}`, "headers.X-Order"},
		{"number in custom args", "custom_args", `{"n":1}`, "custom_args.n"},
		{"empty custom args", "custom_args", `{}`, "custom_args"},
		{"custom args too long together", "custom_args", `{"n":` + long(9970) + `}`, "personalizations.0.custom_args"},
		{"eleven categories", "categories", list(11, `"c%d"`), "categories"},
		{"a category twice", "categories", `["a","a"]`, "categories.1"},
		{"long category", "categories", `[` + long(256) + `]`, "categories.0"},
		{"Unicode category", "categories", `["größe"]`, "categories.0"},
		{"a send_at in four days", "send_at", "1800345600", "send_at"},
		{"send_at with a fraction", "send_at", "1800000000.5", "send_at"},
		{"own send_at in four days", "personalizations.0.send_at", "1800345600", "personalizations.0.send_at"},
		{"both reply_to", "reply_to_list", `[{"email":"a@example.com"}]`, "reply_to_list"},
		{"empty content value", "content.0.value", `""`, "content.0.value"},
		{"content type with ;", "content.0.type", `"text/plain; charset=utf-8"`, "content.0.type"},
		{"html before plain", "content", `[{"type":"text/html","value":"a"},{"type":"text/plain","value":"b"}]`, "content"},
		{"attachment not base64", "attachments.0.content", `"%%%"`, "attachments.0.content"},
		{"attachment without name", "attachments.0.filename", "", "attachments.0.filename"},
		{"attachment name with CRLF", "attachments.0.filename", `"a\r\nb"`, "attachments.0.filename"},
		{"disposition", "attachments.0.disposition", `"other"`, "attachments.0.disposition"},
		{"group of a string", "asm.group_id", `"7"`, "asm.group_id"},
		{"asm without group", "asm.group_id", "", "asm.group_id"},
		{"26 groups", "asm.groups_to_display", list(26, "%d"), "asm.groups_to_display"},
		{"short pool", "ip_pool_name", `"x"`, "ip_pool_name"},
		{"combined bypasses", "mail_settings.bypass_spam_management", `{"enable":true}`, "mail_settings.bypass_list_management"},
		{"sandbox mode of a string", "mail_settings.sandbox_mode.enable", `"true"`, "mail_settings.sandbox_mode.enable"},
		{"tracking of a number", "tracking_settings.click_tracking.enable_text", "1", "tracking_settings.click_tracking.enable_text"},
		{"substitutions with a dynamic template", "personalizations.0.substitutions", `{"a":"b"}`, "personalizations.0.substitutions"},
		{"template data without a dynamic template", "template_id", `"0123"`, "personalizations.0.dynamic_template_data"},
		{"section of a number", "sections", `{"a":1}`, "sections.a"},
		{"batch id of a number", "batch_id", "1", "batch_id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, issues := Parse([]byte(edit(t, fullBody, tt.path, tt.value)), now)
			if m != nil && issues != nil || len(issues) == 0 {
				t.Fatalf("mail %v, issues %v; want issues only", m, issues)
			}
			for _, i := range issues {
				if i.Field != nil && *i.Field == tt.field {
					return
				}
			}
			t.Errorf("issues %s, want one about %s", text(issues), tt.field)
		})
	}
}

func text(issues []Issue) string {
	out, _ := json.Marshal(issues)
	return string(out)
}

func TestParseRefusesAMailWithoutAWayToASubjectOrContent(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"subject", "content"} {
		if _, issues := Parse([]byte(edit(t, smallBody, field, "")), now); len(issues) != 1 || *issues[0].Field != field {
			t.Errorf("without %s: %s, want one issue about it", field, text(issues))
		}
	}
	own := edit(t, edit(t, smallBody, "subject", ""), "personalizations.0.subject", `"Hi"`)
	if _, issues := Parse([]byte(own), now); issues != nil {
		t.Errorf("with a personalization's subject: %s, want none", text(issues))
	}
	template := edit(t, edit(t, edit(t, smallBody, "subject", ""), "content", ""), "template_id", `"d-1"`)
	if _, issues := Parse([]byte(template), now); issues != nil {
		t.Errorf("with a template: %s, want none", text(issues))
	}
}

func TestParseAnswersInSendGridsWords(t *testing.T) {
	t.Parallel()
	tests := []struct{ body, want string }{
		{"{", `[{"message":"Bad Request","field":null,"help":null}]`},
		{"[]", `[{"message":"Invalid type. Expected: object, given: array.","field":null,"help":null}]`},
		{"{\"subject\":\"\xff\"}", `[{"message":"Invalid UTF8 in request","field":null,"help":null}]`},
		{
			strings.Replace(smallBody, `[{"email": "alex@example.com"}]`, `["alex@example.com"]`, 1),
			`[{"message":"Invalid type. Expected: object, given: string.","field":"personalizations.0.to.0","help":"http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#message.personalizations.to"}]`,
		},
	}
	for _, tt := range tests {
		if _, issues := Parse([]byte(tt.body), now); text(issues) != tt.want {
			t.Errorf("%q: got %s, want %s", tt.body, text(issues), tt.want)
		}
	}
}

func TestCustomArgsMayTakeAlmostTenThousandBytesAsJSON(t *testing.T) {
	t.Parallel()
	for _, filler := range []string{"x", "\"", "\x01", "é"} {
		args := map[string]string{"n": ""}
		one, _ := json.Marshal(filler)
		for value := ""; ; value += filler {
			args["n"] = value
			text, _ := json.Marshal(args)
			if len(text)+len(one)-2 < 10_000 {
				continue
			}
			_, issues := Parse([]byte(edit(t, smallBody, "custom_args", string(text))), now)
			args["n"] += filler
			text, _ = json.Marshal(args)
			_, over := Parse([]byte(edit(t, smallBody, "custom_args", string(text))), now)
			if issues != nil || over == nil {
				t.Errorf("%q: below 10,000 bytes %v, from 10,000 bytes %v; want it accepted, then refused", filler, issues, over)
			}
			break
		}
	}
}

func TestParseListsAtMostAHundredIssues(t *testing.T) {
	t.Parallel()
	many := "[" + strings.TrimSuffix(strings.Repeat("1,", 900), ",") + "]"
	if _, issues := Parse([]byte(edit(t, smallBody, "personalizations.0.to", many)), now); len(issues) != maxIssues {
		t.Errorf("%d issues, want %d", len(issues), maxIssues)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{fullBody, smallBody, `{}`, `{"personalizations":[null],"from":[]}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, issues := Parse(body, now)
		if (m == nil) == (len(issues) == 0) {
			t.Fatalf("mail %v, issues %v; want exactly one of them", m, issues)
		}
		if m == nil {
			return
		}
		for i, p := range m.Personalizations {
			m.Args(i)
			if len(p.To) == 0 {
				t.Fatal("accepted a personalization without a recipient")
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	body := []byte(edit(b, smallBody, "content.0.value", `"`+strings.Repeat("x", 1024)+`"`))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, issues := Parse(body, now); issues != nil {
			b.Fatal(issues)
		}
	}
}
