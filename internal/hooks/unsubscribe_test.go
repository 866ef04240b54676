package hooks_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/unsubscribe"
	"github.com/levenlabs/postmaster/pkg/job"
)

var linkConfig = unsubscribe.Config{URL: "https://mail.example.com/mail/unsubscribe", Secrets: []string{"0123456789abcdef0123456789"}}

// link returns an unsubscribe link as a mail carries it, but leading to the test's pm-hooks.
func (in *instance) link(t testing.TB, address string, flags int64) string {
	t.Helper()
	links := unsubscribe.New(linkConfig)
	return strings.Replace(links.URL(unsubscribe.Request{Address: address, Flags: flags}), "https://mail.example.com", in.url, 1)
}

func runWithLinks(t testing.TB, okqAddr string) *instance {
	t.Helper()
	cfg := defaults(t)
	cfg.Pass = "secret" // which is SendGrid's and no recipient's
	cfg.Unsubscribe = linkConfig
	return runOver(t, cfg, okqAddr)
}

// wantOptOuts checks that okq holds these one-click unsubscribes, as many times.
func wantOptOuts(t *testing.T, in *instance, n int, address string, flags int64) {
	t.Helper()
	got := in.queued(t)
	for _, raw := range got {
		e, err := job.DecodeEvent(raw)
		if err != nil || e.Type != job.EventOneClick || e.Email != address || e.Flags != flags || time.Since(e.At) > time.Minute {
			t.Errorf("queued %s", raw)
		}
	}
	if len(got) != n {
		t.Errorf("%d unsubscribes queued, want %d", len(got), n)
	}
}

func TestOneClickUnsubscribesInBothFormEncodings(t *testing.T) {
	t.Parallel()
	in := runWithLinks(t, okqdtest.RunT(t).Addr)
	multipart := "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n"
	for contentType, body := range map[string]string{
		"application/x-www-form-urlencoded": "List-Unsubscribe=One-Click",
		"multipart/form-data; boundary=b":   multipart,
	} {
		resp := request(t, "POST", in.link(t, "alex@example.com", 6), contentType, body)
		if resp.StatusCode != 200 || len(resp.Cookies()) > 0 || resp.Request.Method != "POST" {
			t.Errorf("%s: %s, %v", contentType, resp.Status, resp.Header)
		}
		wantOptOuts(t, in, 1, "alex@example.com", 6)
	}
}

func TestFollowingTheLinkAloneDoesNotUnsubscribe(t *testing.T) {
	t.Parallel()
	in := runWithLinks(t, okqdtest.RunT(t).Addr)
	for _, method := range []string{"GET", "HEAD"} {
		resp := request(t, method, in.link(t, "<b>@example.com", 6), "", "")
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode != 200 || err != nil {
			t.Errorf("%s: %s, %v", method, resp.Status, err)
		}
		if method == "GET" && (!strings.Contains(string(body), "&lt;b&gt;<wbr>@example.com") || !strings.Contains(string(body), "<form")) {
			t.Errorf("the page is\n%s", body)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") {
			t.Errorf("policy %q", csp)
		}
	}
	wantOptOuts(t, in, 0, "", 0)
}

func TestAForgedLinkDoesNothing(t *testing.T) {
	t.Parallel()
	in := runWithLinks(t, okqdtest.RunT(t).Addr)
	good := in.link(t, "alex@example.com", 6)
	for _, link := range []string{good[:len(good)-1] + "!", strings.Split(good, "?")[0], good[:len(good)-4]} {
		for _, method := range []string{"GET", "POST"} {
			if resp := request(t, method, link, "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"); resp.StatusCode != 400 {
				t.Errorf("%s %s: %s", method, link, resp.Status)
			}
		}
	}
	if resp := request(t, "PUT", good, "", ""); resp.StatusCode != 405 {
		t.Errorf("PUT: %s", resp.Status)
	}
	if resp := request(t, "POST", good, "application/x-www-form-urlencoded", strings.Repeat("a", 1<<20)); resp.StatusCode != 400 {
		t.Errorf("a form of 1 MiB: %s", resp.Status)
	}
	if resp := request(t, "POST", good, "multipart/form-data; boundary=b", "x"); resp.StatusCode != 400 {
		t.Errorf("half a form: %s", resp.Status)
	}
	wantOptOuts(t, in, 0, "", 0)
}

func TestAnUnsubscribeIsNotConfirmedBeforeItIsQueued(t *testing.T) {
	t.Parallel()
	okqd := okqdtest.RunT(t)
	in := runWithLinks(t, okqd.Addr)
	okqd.Stop()
	if resp := request(t, "POST", in.link(t, "alex@example.com", 6), "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"); resp.StatusCode != 503 {
		t.Errorf("okq is away: %s", resp.Status)
	}
	resp := request(t, "POST", in.link(t, "alex@example.com", 6), "application/x-www-form-urlencoded", "page=1")
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 503 || !strings.Contains(string(body), "<button") {
		t.Errorf("okq is away, from the page: %s\n%s", resp.Status, body)
	}
}

func TestThePageSpeaksTheBrowsersLanguage(t *testing.T) {
	t.Parallel()
	in := runWithLinks(t, okqdtest.RunT(t).Addr)
	for accept, lang := range map[string]string{"": "en", "de-AT,en;q=0.5": "de", "tlh, en-GB;q=0.9, de;q=0.1": "en", "xx": "en", ";;q=,": "en"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", in.link(t, "alex@example.com", 6), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Language", accept)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(body), fmt.Sprintf("<html lang=%q>", lang)) || resp.Header.Get("Content-Language") != lang {
			t.Errorf("%q is not answered in %s", accept, lang)
		}
	}
}

// request does not follow redirects.
func request(t testing.TB, method, url, contentType, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}
