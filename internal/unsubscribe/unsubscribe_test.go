package unsubscribe_test

import (
	"errors"
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/unsubscribe"
)

const (
	oldSecret = "the old secret, 24 bytes"
	newSecret = "the new secret, 24 bytes"
)

func links(t testing.TB, secrets ...string) *unsubscribe.Links {
	t.Helper()
	l := unsubscribe.New(unsubscribe.Config{URL: "https://mail.example.com/unsubscribe", Secrets: secrets})
	if l == nil {
		t.Fatal("no links")
	}
	return l
}

func token(t testing.TB, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(unsubscribe.QueryToken)
}

func TestALinkSaysWhoOptsOutOfWhat(t *testing.T) {
	t.Parallel()
	l := links(t, newSecret)
	for _, want := range []unsubscribe.Request{
		{"alex@example.com", 4}, {"a+b%c@example.com", 1 << 62}, {"zoë@example.com", math.MinInt64}, {strings.Repeat("x", 256), -1},
	} {
		link := l.URL(want)
		if got, err := l.Open(token(t, link)); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", link, got, err, want)
		}
		if !strings.HasPrefix(link, "https://mail.example.com/unsubscribe?t=") || len(link) > 500 {
			t.Errorf("link %s", link)
		}
	}
}

func TestATokenThatWasChangedAnywhereIsRefused(t *testing.T) {
	t.Parallel()
	l := links(t, newSecret)
	good := token(t, l.URL(unsubscribe.Request{Address: "alex@example.com", Flags: 4}))
	for i := range good {
		for _, c := range "AB_" {
			bad := good[:i] + string(c) + good[i+1:]
			if _, err := l.Open(bad); bad != good && !errors.Is(err, unsubscribe.ErrToken) {
				t.Errorf("%s opened: %v", bad, err)
			}
		}
	}
	for _, bad := range []string{"", "A", good + "A", good[1:], good + "\n", good + "=", strings.Repeat("A", 1<<20)} {
		if _, err := l.Open(bad); !errors.Is(err, unsubscribe.ErrToken) {
			t.Errorf("%.50q opened: %v", bad, err)
		}
	}
}

func TestLinksOfAnOldSecretOpenWhileItIsListed(t *testing.T) {
	t.Parallel()
	r := unsubscribe.Request{Address: "alex@example.com", Flags: 4}
	before, during, after := links(t, oldSecret), links(t, newSecret, oldSecret), links(t, newSecret)
	old := token(t, before.URL(r))
	if got, err := during.Open(old); err != nil || got != r {
		t.Errorf("during the change: %+v, %v", got, err)
	}
	if _, err := after.Open(old); !errors.Is(err, unsubscribe.ErrToken) {
		t.Errorf("after it: %v", err)
	}
	if got, err := after.Open(token(t, during.URL(r))); err != nil || got != r {
		t.Errorf("the first secret does not seal: %+v, %v", got, err)
	}
}

func TestMailsOfNoKindCarryNoLink(t *testing.T) {
	t.Parallel()
	l := links(t, newSecret)
	if h := l.Headers("alex@example.com", 0); h != nil {
		t.Errorf("flags 0: %v", h)
	}
	var none *unsubscribe.Links
	if h := none.Headers("alex@example.com", 4); h != nil {
		t.Errorf("no links configured: %v", h)
	}
	h := l.Headers("alex@example.com", 4)
	if h["List-Unsubscribe-Post"] != "List-Unsubscribe=One-Click" || !strings.HasPrefix(h["List-Unsubscribe"], "<https://") ||
		!strings.HasSuffix(h["List-Unsubscribe"], ">") {
		t.Errorf("headers %v", h)
	}
}

func TestConfigFaultsNameTheFlag(t *testing.T) {
	t.Parallel()
	const good = "https://mail.example.com/unsubscribe"
	for _, c := range []struct {
		name, url string
		secrets   []string
		flag      string
	}{
		{"nothing", "", nil, ""},
		{"both", good, []string{newSecret}, ""},
		{"http on this machine", "http://127.0.0.1:8993/unsubscribe", []string{newSecret}, ""},
		{"no secret", good, nil, "--unsubscribe-secret"},
		{"no url", "", []string{newSecret}, "--unsubscribe-url"},
		{"short secret", good, []string{newSecret, "hunter2"}, "--unsubscribe-secret"},
		{"http", "http://mail.example.com/unsubscribe", []string{newSecret}, "--unsubscribe-url"},
		{"no path", "https://mail.example.com", []string{newSecret}, "--unsubscribe-url"},
		{"root", "https://mail.example.com/", []string{newSecret}, "--unsubscribe-url"},
		{"slash at the end", good + "/", []string{newSecret}, "--unsubscribe-url"},
		{"query", good + "?a=b", []string{newSecret}, "--unsubscribe-url"},
		{"no host", "https:///unsubscribe", []string{newSecret}, "--unsubscribe-url"},
		{"garbage", "https://%zz/", []string{newSecret}, "--unsubscribe-url"},
	} {
		cfg := unsubscribe.Config{URL: c.url, Secrets: c.secrets}
		err := cfg.Validate()
		if on := unsubscribe.New(cfg) != nil; on != (err == nil && c.url != "") {
			t.Errorf("%s: links are made: %v", c.name, on)
		}
		if (err == nil) != (c.flag == "") || err != nil && !strings.Contains(err.Error(), c.flag) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the secret: %v", c.name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	l := links(f, newSecret, oldSecret)
	f.Add(token(f, l.URL(unsubscribe.Request{Address: "alex@example.com", Flags: 4})))
	f.Add("AQhhQGI")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := l.Open(s)
		if err != nil {
			return
		}
		if again := token(t, l.URL(r)); again != s && token(t, links(t, oldSecret).URL(r)) != s {
			t.Errorf("%q opened as %+v, whose token is %q", s, r, again)
		}
	})
}
