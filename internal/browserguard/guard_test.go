package browserguard_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/browserguard"
)

func TestPagesOfOtherOriginsAreRefused(t *testing.T) {
	t.Parallel()
	const local, remote = "127.0.0.1", "10.0.0.5"
	open := browserguard.Guard{AllowHosts: []string{"pm.example"}}
	api := browserguard.Guard{NoBrowsers: true}
	credential := browserguard.Guard{Authenticated: true, NoBrowsers: true}
	for _, c := range []struct {
		name    string
		guard   browserguard.Guard
		on      string
		method  string
		host    string
		headers string // "Name: value|…"
		allowed bool
	}{
		{"a program", open, local, "POST", "127.0.0.1:8992", "", true},
		{"a program of HTTP/1.0 without a Host", open, local, "POST", "", "", true},
		{"another name of loopback", open, local, "POST", "localhost:8992", "", true},
		{"IPv6", open, local, "POST", "[::1]:8992", "", true},
		{"a page of another site", open, local, "POST", "127.0.0.1:8992", "Sec-Fetch-Site: cross-site", false},
		{"a page of another port", open, local, "POST", "127.0.0.1:8992", "Sec-Fetch-Site: same-site", false},
		{"a page of another site, in an old browser", open, local, "POST", "127.0.0.1:8992", "Origin: https://evil.example", false},
		{"a page of a file", open, local, "POST", "127.0.0.1:8992", "Origin: null", false},
		{"a page of ours", open, local, "POST", "127.0.0.1:8992", "Origin: http://127.0.0.1:8992|Sec-Fetch-Site: same-origin", true},
		{"a page of another site that reads", open, local, "GET", "127.0.0.1:8992", "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: no-cors", false},
		{"a link on another site", open, local, "GET", "127.0.0.1:8992", "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate", true},
		{"a form on another site", open, local, "POST", "127.0.0.1:8992", "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate", false},
		{"a rebound name", open, local, "POST", "evil.example:8992", "", false},
		{"a rebound name, its page", open, local, "GET", "evil.example:8992", "Sec-Fetch-Site: same-origin", false},
		{"an allowed name", open, local, "POST", "PM.example.:8992", "", true},
		{"any name from another machine", open, remote, "POST", "pm-api.svc:8992", "", true},
		{"a page of another site, from another machine", open, remote, "POST", "pm-api.svc:8992", "Sec-Fetch-Site: cross-site", false},
		{"a browser at a server without pages", api, local, "POST", "127.0.0.1:8992", "Origin: http://127.0.0.1:8992", false},
		{"a fetch at a server without pages", api, local, "POST", "127.0.0.1:8992", "Sec-Fetch-Site: same-origin", false},
		{"a program at a server without pages", api, local, "POST", "127.0.0.1:8992", "", true},
		{"any name with a credential", credential, local, "POST", "pm.example", "", true},
		{"a page of another site with a credential", credential, local, "POST", "127.0.0.1", "Sec-Fetch-Site: cross-site", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "/", nil)
			r.Host = c.host
			for h := range strings.SplitSeq(c.headers, "|") {
				if name, value, ok := strings.Cut(h, ": "); ok {
					r.Header.Set(name, value)
				}
			}
			r = r.WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.ParseIP(c.on), Port: 8992})))
			w := httptest.NewRecorder()
			c.guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {})).ServeHTTP(w, r)
			want := http.StatusOK
			if !c.allowed {
				want = http.StatusForbidden
			}
			if w.Code != want || c.allowed != (w.Body.Len() == 0) {
				t.Errorf("answered %d %q, want %d", w.Code, w.Body, want)
			}
		})
	}
}
