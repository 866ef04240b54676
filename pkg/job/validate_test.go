package job

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// valid returns a mail that uses every field.
func valid() *Email {
	return &Email{
		To: "rcpt@example.com", ToName: "Rcpt, the", From: "sender@example.com", FromName: "Sender", Subject: "Hello",
		HTML: "<p>hi</p>", Text: "hi", ReplyTo: "reply@example.com", UniqueArgs: map[string]string{"order": "7"},
		Flags: 6, UniqueID: "order-7", CC: []Address{{Email: "cc@example.com", Name: "CC"}},
		BCC: []Address{{Email: "bcc@example.com"}}, Headers: map[string]string{"List-Unsubscribe": "<https://example.com/u>"},
		Categories:  []string{"receipts"},
		Attachments: []Attachment{{Content: "aGVsbG8=", Filename: "a.txt", Type: "text/plain", Disposition: "inline", ContentID: "a"}},
		TemplateID:  "d-1234", TemplateData: json.RawMessage(`{"name":"X"}`), ASMGroupID: 3, IPPool: "pool",
		Priority: PriorityHigh, SendAt: 2_000_000_000, SendBefore: 2_000_000_600, IdempotencyKey: "k", OnUnknown: OnUnknownHold,
	}
}

// faults is one row for each rule: what breaks it, and the field that is named.
var faults = []struct {
	name    string
	breakIt func(*Email)
	field   string
}{
	{"no recipient", func(e *Email) { e.To = "" }, "to"},
	{"no address", func(e *Email) { e.To = "nobody" }, "to"},
	{"named address", func(e *Email) { e.To = "A <a@example.com>" }, "to"},
	{"commented address", func(e *Email) { e.To = "a@example.com (x)" }, "to"},
	{"quoted address", func(e *Email) { e.To = `"a b"@example.com` }, "to"},
	{"two addresses", func(e *Email) { e.To = "a@example.com,b@example.com" }, "to"},
	{"space before address", func(e *Email) { e.To = " a@example.com" }, "to"},
	{"line break in address", func(e *Email) { e.To = "a@example.com\r\nBcc: x@example.com" }, "to"},
	{"NUL in address", func(e *Email) { e.To = "a\x00@example.com" }, "to"},
	{"right-to-left override in address", func(e *Email) { e.To = "a\u202e@example.com" }, "to"},
	{"left-to-right mark in address", func(e *Email) { e.To = "a\u200e@example.com" }, "to"},
	{"zero-width space in address", func(e *Email) { e.To = "a\u200b@example.com" }, "to"},
	{"no-break space in address", func(e *Email) { e.To = "a\u00a0@example.com" }, "to"},
	{"not UTF-8 in address", func(e *Email) { e.To = "a\xff@example.com" }, "to"},
	{"long address", func(e *Email) { e.To = "a@" + strings.Repeat("x", MaxAddress-4) + ".com" }, "to"},
	{"long local part", func(e *Email) { e.To = strings.Repeat("a", 65) + "@example.com" }, "to"},
	{"test domain", func(e *Email) { e.To = "someone@test" }, "to"},
	{"test domain in capitals", func(e *Email) { e.To = "someone@TeSt" }, "to"},
	{"long toName", func(e *Email) { e.ToName = strings.Repeat("x", 257) }, "toName"},
	{"line break in toName", func(e *Email) { e.ToName = "x\nBcc: y" }, "toName"},
	{"override in toName", func(e *Email) { e.ToName = "x\u202ey" }, "toName"},
	{"no sender", func(e *Email) { e.From = "" }, "from"},
	{"sender beyond ASCII", func(e *Email) { e.From = "jörg@example.com" }, "from"},
	{"sender domain beyond ASCII", func(e *Email) { e.From = "joerg@exämple.com" }, "from"},
	{"bad sender", func(e *Email) { e.From = "example.com" }, "from"},
	{"carriage return in fromName", func(e *Email) { e.FromName = "x\ry" }, "fromName"},
	{"NUL in fromName", func(e *Email) { e.FromName = "x\x00y" }, "fromName"},
	{"no subject", func(e *Email) { e.Subject, e.TemplateID, e.TemplateData = "", "", nil }, "subject"},
	{"long subject", func(e *Email) { e.Subject = strings.Repeat("x", 999) }, "subject"},
	{"line break in subject", func(e *Email) { e.Subject = "a\r\nBcc: x@example.com" }, "subject"},
	{"override in subject", func(e *Email) { e.Subject = "invoice\u202efdp.exe" }, "subject"},
	{"isolate in subject", func(e *Email) { e.Subject = "a\u2067b" }, "subject"},
	{"no body", func(e *Email) { e.HTML, e.Text, e.TemplateID, e.TemplateData = "", "", "", nil }, "html"},
	{"long html", func(e *Email) { e.HTML = strings.Repeat("x", MaxBody+1) }, "html"},
	{"long text", func(e *Email) { e.Text = strings.Repeat("x", MaxBody+1) }, "text"},
	{"html not UTF-8", func(e *Email) { e.HTML = "\xff" }, "html"},
	{"bad replyTo", func(e *Email) { e.ReplyTo = "x" }, "replyTo"},
	{"our stats ID", func(e *Email) { e.UniqueArgs = map[string]string{"pmStatsID": "x"} }, "uniqueArgs.pmStatsID"},
	{"our fold", func(e *Email) { e.UniqueArgs = map[string]string{"pmFold": "x"} }, "uniqueArgs.pmFold"},
	{"our environment", func(e *Email) { e.UniqueArgs = map[string]string{"pmEnvID": "x"} }, "uniqueArgs.pmEnvID"},
	{"long key", func(e *Email) { e.UniqueArgs = map[string]string{strings.Repeat("k", 257): "x"} }, "uniqueArgs." + strings.Repeat("k", 64) + "…"},
	{"long value", func(e *Email) { e.UniqueArgs = map[string]string{"k": strings.Repeat("x", 257)} }, "uniqueArgs.k"},
	{"empty key", func(e *Email) { e.UniqueArgs = map[string]string{"": "x"} }, "uniqueArgs"},
	{"too many bytes of arguments", func(e *Email) { e.UniqueArgs = args(10_000) }, "uniqueArgs"},
	{"reserved flag", func(e *Email) { e.Flags = 3 }, "flags"},
	{"reserved flag among negative ones", func(e *Email) { e.Flags = -1 }, "flags"},
	{"long uniqueID", func(e *Email) { e.UniqueID = strings.Repeat("x", 257) }, "uniqueID"},
	{"bad cc", func(e *Email) { e.CC = append(e.CC, Address{Email: "x"}) }, "cc[1].email"},
	{"no address in cc", func(e *Email) { e.CC[0].Email = "" }, "cc[0].email"},
	{"test domain in full width", func(e *Email) { e.To = "someone@ＴＥＳＴ" }, "to"},
	{"to in cc, its domain in Unicode", func(e *Email) { e.To, e.CC[0].Email = "a@xn--bcher-kva.example", "A@bücher.example" }, "cc[0].email"},
	{"cc in bcc, decomposed", func(e *Email) { e.CC[0].Email, e.BCC[0].Email = "josé@example.com", "jose\u0301@example.com" }, "bcc[0].email"},
	{"test domain in bcc", func(e *Email) { e.BCC[0].Email = "x@test" }, "bcc[0].email"},
	{"line break in the name of a cc", func(e *Email) { e.CC[0].Name = "a\nb" }, "cc[0].name"},
	{"to again in cc", func(e *Email) { e.CC[0].Email = "RCPT@example.com" }, "cc[0].email"},
	{"cc again in bcc", func(e *Email) { e.BCC[0].Email = "Cc@Example.com" }, "bcc[0].email"},
	{"twice in bcc", func(e *Email) { e.BCC = append(e.BCC, e.BCC[0]) }, "bcc[1].email"},
	{"1001 recipients", func(e *Email) { e.CC = people(999) }, "bcc"},
	{"1002 recipients in cc", func(e *Email) { e.CC = people(1001) }, "cc"},
	{"reserved header", func(e *Email) { e.Headers = map[string]string{"dkim-Signature": "x"} }, "headers.dkim-Signature"},
	{"To header", func(e *Email) { e.Headers = map[string]string{"To": "x@example.com"} }, "headers.To"},
	{"X-SMTPAPI header", func(e *Email) { e.Headers = map[string]string{"x-SmtpApi": "{}"} }, "headers.x-SmtpApi"},
	{"line break in header", func(e *Email) { e.Headers = map[string]string{"X-A": "x\r\nBcc: y@example.com"} }, "headers.X-A"},
	{"header beyond ASCII", func(e *Email) { e.Headers = map[string]string{"X-A": "ü"} }, "headers.X-A"},
	{"line break in header name", func(e *Email) { e.Headers = map[string]string{"X-A\r\nBcc": "x"} }, "headers"},
	{"space in header name", func(e *Email) { e.Headers = map[string]string{"X A": "x"} }, "headers"},
	{"colon in header name", func(e *Email) { e.Headers = map[string]string{"X:": "x"} }, "headers"},
	{"empty header name", func(e *Email) { e.Headers = map[string]string{"": "x"} }, "headers"},
	{"header twice", func(e *Email) { e.Headers = map[string]string{"X-A": "1", "x-a": "2"} }, "headers.x-a"},
	{"11 categories", func(e *Email) { e.Categories = strings.Split("a b c d e f g h i j k", " ") }, "categories"},
	{"category twice", func(e *Email) { e.Categories = []string{"a", "b", "a"} }, "categories[2]"},
	{"category beyond ASCII", func(e *Email) { e.Categories = []string{"ä"} }, "categories[0]"},
	{"long category", func(e *Email) { e.Categories = []string{strings.Repeat("x", 256)} }, "categories[0]"},
	{"empty category", func(e *Email) { e.Categories = []string{""} }, "categories[0]"},
	{"no content", func(e *Email) { e.Attachments[0].Content = "" }, "attachments[0].content"},
	{"not base64", func(e *Email) { e.Attachments[0].Content = "not base64!" }, "attachments[0].content"},
	{"base64 without padding", func(e *Email) { e.Attachments[0].Content = "aGVsbG8" }, "attachments[0].content"},
	{"base64 in lines", func(e *Email) { e.Attachments[0].Content = "aGVs\r\nbG8==" }, "attachments[0].content"},
	{"base64 for URLs", func(e *Email) { e.Attachments[0].Content = "_-8=" }, "attachments[0].content"},
	{"padding inside", func(e *Email) { e.Attachments[0].Content = "aG=sbG8=" }, "attachments[0].content"},
	{"no filename", func(e *Email) { e.Attachments[0].Filename = "" }, "attachments[0].filename"},
	{"line break in filename", func(e *Email) { e.Attachments[0].Filename = "a\nb" }, "attachments[0].filename"},
	{"override in filename", func(e *Email) { e.Attachments[0].Filename = "a\u202efdp.exe" }, "attachments[0].filename"},
	{"semicolon in filename", func(e *Email) { e.Attachments[0].Filename = "a;b" }, "attachments[0].filename"},
	{"semicolon in contentID", func(e *Email) { e.Attachments[0].ContentID = "a;b" }, "attachments[0].contentID"},
	{"type with a broken parameter", func(e *Email) { e.Attachments[0].Type = "text/calendar; method" }, "attachments[0].type"},
	{"type with a parameter twice", func(e *Email) { e.Attachments[0].Type = "text/calendar; a=1; a=2" }, "attachments[0].type"},
	{"type with parameters only", func(e *Email) { e.Attachments[0].Type = "; a=1" }, "attachments[0].type"},
	{"line break in type", func(e *Email) { e.Attachments[0].Type = "text/calendar; a=1;\r\n b=2" }, "attachments[0].type"},
	{"line break in contentID", func(e *Email) { e.Attachments[0].ContentID = "a\r\n" }, "attachments[0].contentID"},
	{"bad disposition", func(e *Email) { e.Attachments[0].Disposition = "x" }, "attachments[0].disposition"},
	{"30 MB", func(e *Email) { e.Attachments[0].Content = strings.Repeat("aaaa", 30_000_000/4) }, "attachments"},
	{"30 MB of template data", func(e *Email) { e.TemplateData = []byte(`{"a":"` + strings.Repeat("a", 30_000_000) + `"}`) }, "templateData"},
	{"space in templateID", func(e *Email) { e.TemplateID = "d- x" }, "templateID"},
	{"templateID beyond ASCII", func(e *Email) { e.TemplateID = "d-ü" }, "templateID"},
	{"data without template", func(e *Email) { e.TemplateID = "" }, "templateData"},
	{"data for a legacy template", func(e *Email) { e.TemplateID = "aaaa" }, "templateData"},
	{"data that is no object", func(e *Email) { e.TemplateData = []byte(`[1]`) }, "templateData"},
	{"data with half a pair", func(e *Email) { e.TemplateData = []byte(`{"a":"\ud83dx"}`) }, "templateData"},
	{"data with the other half", func(e *Email) { e.TemplateData = []byte(`{"a":"\\\uDE00"}`) }, "templateData"},
	{"negative group", func(e *Email) { e.ASMGroupID = -1 }, "asmGroupID"},
	{"short pool", func(e *Email) { e.IPPool = "x" }, "ipPool"},
	{"long pool", func(e *Email) { e.IPPool = strings.Repeat("x", 65) }, "ipPool"},
	{"bad priority", func(e *Email) { e.Priority = "urgent" }, "priority"},
	{"negative sendAt", func(e *Email) { e.SendAt = -1 }, "sendAt"},
	{"sendAt in milliseconds", func(e *Email) { e.SendAt = 1_700_000_000_000 }, "sendAt"},
	{"negative sendBefore", func(e *Email) { e.SendBefore = -1 }, "sendBefore"},
	{"sendBefore sendAt", func(e *Email) { e.SendBefore = e.SendAt }, "sendBefore"},
	{"long idempotencyKey", func(e *Email) { e.IdempotencyKey = strings.Repeat("x", 257) }, "idempotencyKey"},
	{"bad onUnknown", func(e *Email) { e.OnUnknown = "ask" }, "onUnknown"},
}

func TestEachBrokenRuleNamesItsField(t *testing.T) {
	t.Parallel()
	for _, tc := range faults {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := valid()
			tc.breakIt(e)
			var fe *FieldError
			if err := e.Validate(); !errors.As(err, &fe) {
				t.Fatalf("error %v, want a FieldError for %s", err, tc.field)
			}
			if fe.Field != tc.field || fe.Reason == "" || !strings.HasPrefix(fe.Error(), tc.field) {
				t.Errorf("field %q (%v), want %q", fe.Field, fe, tc.field)
			}
		})
	}
}

func TestWhatIsAllowedUpToItsLimitIsTaken(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Email){
		"every field":                      func(*Email) {},
		"the least":                        func(e *Email) { *e = Email{To: "a@b", From: "c@d", Subject: "s", Text: "t"} },
		"a template alone":                 func(e *Email) { *e = Email{To: "a@b", From: "c@d", TemplateID: "d-1"} },
		"a legacy template":                func(e *Email) { e.TemplateID, e.TemplateData = "1234-abcd", []byte("null") },
		"unicode recipient":                func(e *Email) { e.To = "jörg@exämple.com" },
		"64 bytes before the @":            func(e *Email) { e.To = strings.Repeat("a", 64) + "@example.com" },
		"test as a label":                  func(e *Email) { e.To = "a@mail.test" },
		"an emoji and a mark in a name":    func(e *Email) { e.ToName = "\u200eد. \U0001f469\u200d\U0001f4bb" },
		"998 bytes of subject":             func(e *Email) { e.Subject = strings.Repeat("x", 998) },
		"2 MiB of html and of text":        func(e *Email) { e.HTML, e.Text = strings.Repeat("\x01", MaxBody), strings.Repeat("x", MaxBody) },
		"arguments up to the limit":        func(e *Email) { e.UniqueArgs = args(9999) },
		"all flags but one":                func(e *Email) { e.Flags = ^int64(1) },
		"1000 recipients":                  func(e *Email) { e.CC, e.BCC = people(500), people(999)[500:] },
		"10 categories":                    func(e *Email) { e.Categories = strings.Split("a b c d e f g h i j", " ") },
		"a header with encoded words":      func(e *Email) { e.Headers["X-A"] = "=?utf-8?q?=C3=BC?=\tx" },
		"pairs in template data":           func(e *Email) { e.TemplateData = []byte(`{"\\ud800":"\ud83d\uDE00\\"}`) },
		"almost 30 MB":                     func(e *Email) { e.Attachments[0].Content = strings.Repeat("aaaa", 29_900_000/4) },
		"a sendBefore that has passed":     func(e *Email) { e.SendAt, e.SendBefore = 0, 1 },
		"a sendAt that has passed":         func(e *Email) { e.SendAt = 1 },
		"one byte of base64":               func(e *Email) { e.Attachments[0].Content = base64.StdEncoding.EncodeToString([]byte{255}) },
		"an invitation":                    func(e *Email) { e.Attachments[0].Type = "text/calendar; method=REQUEST" },
		"two characters of pool, in bytes": func(e *Email) { e.IPPool = "äö" },
	} {
		e := valid()
		change(e)
		if err := e.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An older pm-api queued such emails, and they are sent as they are.
func TestWhatOnlyADoorRefusesIsSendable(t *testing.T) {
	t.Parallel()
	e := valid()
	e.Subject, e.Headers = "a\u2068b\u2069", map[string]string{"X-SMTPAPI": "{}"}
	if err := e.Sendable(); err != nil {
		t.Errorf("not sendable: %v", err)
	}
	if err := e.Validate(); err == nil {
		t.Error("valid, want it refused at the door")
	}
}

func TestFirstFaultInOrderOfFieldsWins(t *testing.T) {
	t.Parallel()
	e := valid()
	for i := len(faults) - 1; i >= 0; i-- {
		if strings.Contains(faults[i].name, "30 MB") || strings.Contains(faults[i].name, "100") {
			continue
		}
		faults[i].breakIt(e)
	}
	for range 10 {
		if err := e.Validate(); err == nil || err.Error() != "to is required" {
			t.Fatalf("error %v, want that of to", err)
		}
	}
	e.To, e.UniqueArgs = "a@example.com", map[string]string{"b": strings.Repeat("x", 300), "a": strings.Repeat("x", 300)}
	*e = Email{To: e.To, From: "b@example.com", Subject: "s", Text: "t", UniqueArgs: e.UniqueArgs}
	for range 50 {
		if err := e.Validate(); err == nil || !strings.HasPrefix(err.Error(), "uniqueArgs.a ") {
			t.Fatalf("error %v, want that of the first key", err)
		}
	}
}

// args returns unique arguments that make exactly n bytes of JSON with postmaster's own, whose environment is as long
// as it may be.
func args(n int) map[string]string {
	fold := "1.-9223372036854775808." + strings.Repeat("h", 4*3) // of the valid email's recipients
	size := func(m map[string]string) int {
		b, _ := json.Marshal(m)
		return len(b)
	}
	all := map[string]string{ArgStatsID: strings.Repeat("a", 24), ArgEnvID: strings.Repeat("e", MaxEnvironment), ArgFold: fold}
	for i := 0; size(all) < n; i++ {
		key := fmt.Sprintf("%04d", i)
		all[key] = ""
		all[key] = strings.Repeat("x", min(MaxArg, max(0, n-size(all))))
	}
	all["0000"] = all["0000"][max(0, size(all)-n):] // an empty argument may have been too much
	delete(all, ArgStatsID)
	delete(all, ArgEnvID)
	delete(all, ArgFold)
	return all
}

func people(n int) []Address {
	list := make([]Address, n)
	for i := range list {
		list[i].Email = fmt.Sprintf("p%d@example.com", i)
	}
	return list
}

func TestQuotedLenIsWhatJSONTakes(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `"\`, "\n\r\t\b\f\x00\x1f\x7f", "ü€😀", "\u2028\u2029", "a\xffb"} {
		var buf strings.Builder
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
		if got, want := quotedLen(s), buf.Len()-1; got != want {
			t.Errorf("quotedLen(%q) = %d, want %d", s, got, want)
		}
	}
}
