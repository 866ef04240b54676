package sandbox_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/sandbox/sandboxtest"
)

func TestEachAcceptedMailHasItsOwnMessageID(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	seen := map[string]bool{}
	for range 50 {
		resp, body := do(t, sendRequest(t, s, mailTo("alex@example.com", "same")))
		id := resp.Header.Get("X-Message-Id")
		if resp.StatusCode != http.StatusAccepted || body != "" || len(id) != 22 || seen[id] {
			t.Fatalf("got %d %q, message id %q (seen %v); want 202, no body, a new id", resp.StatusCode, body, id, seen[id])
		}
		seen[id] = true
	}
	if got := s.Accepted("same"); got != 50 {
		t.Errorf("accepted %d times, want 50", got)
	}
	if c := s.Counters(); c.Accepted != 50 || c.Doubles != 49 || c.Recipients != 50 {
		t.Errorf("counters %+v, want 50 accepted, 49 doubles", c)
	}
}

func TestSendRefusesWithSendGridsStatuses(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t, sandboxtest.Key("SG.right"))
	good := mailTo("alex@example.com", "x")
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	tests := []struct {
		name   string
		body   string
		change func(*http.Request)
		status int
		want   string // in the body
	}{
		{"not JSON", "{", nil, 400, `{"errors":[{"message":"Bad Request","field":null,"help":null}]}`},
		{"empty", "", nil, 400, "Bad Request"},
		{"invalid", "{}", nil, 400, `"field":"personalizations"`},
		{"not UTF-8", "{\"a\":\"\xff\"}", nil, 400, "Invalid UTF8 in request"},
		{"no key", good, func(r *http.Request) { r.Header.Del("Authorization") }, 401, `"field":null`},
		{"wrong key", good, set("Authorization", "Bearer SG.wrong"), 401, "The provided authorization grant is invalid, expired, or revoked"},
		{"basic auth", good, func(r *http.Request) { r.SetBasicAuth("apikey", "SG.right") }, 401, "authorization grant"},
		{"GET", "", func(r *http.Request) { r.Method, r.Body = http.MethodGet, nil }, 405, "method not allowed"},
		{"no Accept", good, set("Accept", ""), 406, "Accept"},
		{"form", good, set("Content-Type", "application/x-www-form-urlencoded"), 415, "application/json"},
		{"Latin-1", good, set("Content-Type", "application/json; charset=iso-8859-1"), 415, "application/json"},
		{"deflate", good, set("Content-Encoding", "deflate"), 415, "gzip"},
		{"not gzip", good, set("Content-Encoding", "gzip"), 400, "Bad Request"},
		{"too large", strings.Repeat(" ", 30_000_001), nil, 413, "<center>nginx</center>"},
		{"unknown path", good, func(r *http.Request) { r.URL.Path = "/v3/mail/sent" }, 404, `"errors"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := sendRequest(t, s, tt.body)
			req.Header.Set("Authorization", "Bearer SG.right")
			if tt.change != nil {
				tt.change(req)
			}
			resp, body := do(t, req)
			if resp.StatusCode != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("got %d %s, want %d with %s", resp.StatusCode, body, tt.status, tt.want)
			}
			wantType := "application/json"
			if tt.status == 413 {
				wantType = "text/html"
			}
			if got := resp.Header.Get("Content-Type"); got != wantType {
				t.Errorf("content type %q, want %q", got, wantType)
			}
		})
	}
	t.Cleanup(func() {
		if c := s.Counters(); c.Accepted != 0 {
			t.Errorf("%d accepted, want none", c.Accepted)
		}
	})
}

func TestSandboxModeOnlyValidates(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	body := strings.Replace(mailTo("alex@example.com", "x"), `"subject"`, `"mail_settings":{"sandbox_mode":{"enable":true}},"subject"`, 1)
	if resp, text := do(t, sendRequest(t, s, body)); resp.StatusCode != http.StatusOK || text != "" {
		t.Errorf("got %d %q, want 200 and no body", resp.StatusCode, text)
	}
	if c := s.Counters(); c.Accepted != 0 || c.Validated != 1 || len(s.Mails()) != 0 {
		t.Errorf("counters %+v, want one validated and none accepted", c)
	}
}

func gzipped(t *testing.T, write func(io.Writer)) io.Reader {
	t.Helper()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	write(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &zipped
}

func TestGzippedMailIsReadWithinTheLimit(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	tests := []struct {
		name   string
		write  func(io.Writer)
		status int
	}{
		{"mail", func(w io.Writer) { io.WriteString(w, mailTo("alex@example.com", "zipped")) }, 202},
		{"bomb", func(w io.Writer) {
			for range 31 {
				w.Write(make([]byte, 1_000_000))
			}
		}, 413},
	}
	for _, tt := range tests {
		req := sendRequest(t, s, "")
		req.Body, req.ContentLength = io.NopCloser(gzipped(t, tt.write)), -1
		req.Header.Set("Content-Encoding", "gzip")
		if resp, body := do(t, req); resp.StatusCode != tt.status {
			t.Errorf("%s: got %d %s, want %d", tt.name, resp.StatusCode, body, tt.status)
		}
	}
	if s.Accepted("zipped") != 1 {
		t.Error("the zipped mail was not accepted")
	}
}

func TestInboxKeepsTheNewestAndCountersCountAll(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t, sandboxtest.Keep(10))
	for i := range 25 {
		send(t, s, mailTo("alex@example.com", string(rune('a'+i))))
	}
	mails := s.Mails()
	if len(mails) != 10 || mails[0].Envelope.Args(0)["pmStatsID"] != "y" {
		t.Errorf("%d kept, want the newest 10, newest first", len(mails))
	}
	all := 0
	for id, a := range s.AllAccepted() {
		if all++; a.Count != 1 || len(id) != 1 {
			t.Errorf("%q accepted %d times, want 1", id, a.Count)
		}
	}
	if all != 25 || s.Accepted("a") != 1 {
		t.Errorf("%d ids counted, want 25, also of mails that left", all)
	}
}

func TestInboxIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t, sandboxtest.KeepBytes(1_000_000))
	body := strings.Replace(mailTo("alex@example.com", "x"), "Thank you.", strings.Repeat("x", 300_000), 1)
	for range 6 {
		send(t, s, body)
	}
	if n := len(s.Mails()); n == 0 || n > 3 {
		t.Errorf("%d mails of 300 kB kept within 1 MB, want 1 to 3", n)
	}
}

func TestKeptMailIsTheRequestAsSent(t *testing.T) {
	t.Parallel()
	s := sandboxtest.RunT(t)
	body := mailTo("alex@example.com", "x")
	m, ok := s.Mail(send(t, s, body))
	if !ok || string(m.Body) != body {
		t.Fatalf("kept %q, want %q", m.Body, body)
	}
	if r := m.Request(); r.Body("text/html") != "<p>Thank you.</p>" || m.Subject() != "Your order" {
		t.Errorf("request %+v", r)
	}
}
