package sendgrid

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/unsubscribe"
	"github.com/levenlabs/postmaster/pkg/job"
)

var testLinks = unsubscribe.New(unsubscribe.Config{
	URL: "https://mail.example.com/unsubscribe", Secrets: []string{"0123456789abcdef0123456789"},
})

// headersOf are the headers of the mail and of its one personalization.
func headersOf(t *testing.T, body []byte) (whole, own map[string]string) {
	t.Helper()
	var m struct {
		Headers          map[string]string
		Personalizations []struct{ Headers map[string]string }
	}
	if err := json.Unmarshal(body, &m); err != nil || len(m.Personalizations) != 1 {
		t.Fatalf("%v in %s", err, body)
	}
	return m.Headers, m.Personalizations[0].Headers
}

func TestAMailOfSomeKindCarriesItsUnsubscribeLink(t *testing.T) {
	t.Parallel()
	e := full()
	body, err := appendBody(nil, e, "test", "", testLinks)
	if err != nil {
		t.Fatal(err)
	}
	whole, own := headersOf(t, body)
	link := strings.Trim(own["List-Unsubscribe"], "<>")
	_, token, _ := strings.Cut(link, "?t=")
	req, err := testLinks.Open(token)
	if err != nil || req != (unsubscribe.Request{Address: e.To, Flags: e.Flags}) {
		t.Errorf("link %s says %+v, %v", link, req, err)
	}
	if own["List-Unsubscribe-Post"] != "List-Unsubscribe=One-Click" || own["X-A"] != "b" || whole != nil {
		t.Errorf("headers %v and %v", whole, own)
	}
	if len(e.Headers) != 1 {
		t.Errorf("the job was changed: %v", e.Headers)
	}
}

func TestMailsThatNeedNoLinkAreAsBefore(t *testing.T) {
	t.Parallel()
	noKind, ownLink, ownPost := full(), full(), full()
	noKind.Flags = 0
	ownLink.Headers = map[string]string{"list-unsubscribe": "<mailto:u@example.com>"}
	ownPost.Headers = map[string]string{"LIST-UNSUBSCRIBE-POST": "x"}
	for name, e := range map[string]*job.Email{"of no kind": noKind, "its own link": ownLink, "its own other": ownPost} {
		with, err := appendBody(nil, e, "test", "", testLinks)
		if err != nil {
			t.Fatal(err)
		}
		without, err := appendBody(nil, e, "test", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if string(with) != string(without) {
			t.Errorf("%s: %s", name, with)
		}
	}
}
