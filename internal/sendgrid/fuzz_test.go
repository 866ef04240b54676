package sendgrid

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sendgrid/rest"
)

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\b\f\n\r\t\x00\x1f\x7f", "é\u2028\u2029😀", "\xff\xc3(", "\xed\xa0\x80", "<&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		plain, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var want string
		if err := json.Unmarshal(plain, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q became %q", want, got)
		}
	})
}

// Whatever answers, the outcome is one of the six, and what is kept of the answer is short and printable.
func FuzzClassify(f *testing.F) {
	f.Add(400, `{"errors":[{"message":"m","field":"f"}]}`, "")
	f.Add(429, `{"errors":[{"message":7,"field":[]}]}`, "1767225600")
	f.Add(403, `{"errors":[null]}`, "-1")
	f.Add(413, "<html>\x00\xff", "99999999999999999999")
	f.Add(202, "", "soon")
	f.Fuzz(func(t *testing.T, status int, body, reset string) {
		now := time.Now()
		r := classify(&rest.Response{StatusCode: status, Body: body, Headers: http.Header{"X-Ratelimit-Reset": {reset}}}, now)
		if r.Outcome < Accepted || r.Outcome > Unknown {
			t.Errorf("outcome %d", r.Outcome)
		}
		if r.Outcome == Accepted && status != 202 {
			t.Errorf("%d is accepted", status)
		}
		if r.Outcome != Accepted && len(r.Errors) == 0 || len(r.Errors) > maxErrors {
			t.Errorf("%d errors", len(r.Errors))
		}
		for _, e := range r.Errors {
			if len(e.Message) > maxMessage+100 || strings.ContainsAny(e.Message+e.Field, "\n\r\x00") || !utf8.ValidString(e.Message) {
				t.Errorf("message %q", e.Message)
			}
		}
		if !r.Until.IsZero() && (r.Until.Before(now) || r.Until.After(now.Add(maxLimit))) {
			t.Errorf("until %v", r.Until)
		}
	})
}
