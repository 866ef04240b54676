package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/levenlabs/postmaster/internal/console"
)

// behind is a console whose users a proxy logs in, which is at the address.
func behind(addr string) option {
	return func(c *console.Config, _ *console.Deps) {
		c.TrustedProxies, c.UserHeader, c.Operators = []string{addr}, "X-Forwarded-User", []string{"kim@example.org"}
	}
}

func (v *visitor) as(name, method, path string, form url.Values) answer {
	v.Helper()
	req := v.request(method, path, form)
	if name != "" {
		req.Header.Set("X-Forwarded-User", name)
	}
	return v.do(req)
}

func TestAProxyLogsUsersIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, behind("127.0.0.0/8"))
	v := r.visitor()
	if a := v.as("kim@example.org", http.MethodGet, "/", nil); a.StatusCode != http.StatusOK || strings.Contains(a.body, "read-only") {
		t.Errorf("an operator: status %d", a.StatusCode)
	}
	if a := v.as("kim@example.org", http.MethodPost, "/recipient", url.Values{"address": {"ann@example.com"}}); a.StatusCode != http.StatusSeeOther && a.StatusCode != http.StatusOK {
		t.Errorf("an operator's act: status %d, %s", a.StatusCode, a.body)
	}
	if a := v.as("pat@example.org", http.MethodGet, "/mails", nil); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "pat@example.org (read-only)") {
		t.Errorf("somebody else: status %d", a.StatusCode)
	}
	if a := v.as("pat@example.org", http.MethodPost, "/recipient", url.Values{"address": {"ann@example.com"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("somebody else's act: status %d, want 403", a.StatusCode)
	}
	if a := v.as("", http.MethodGet, "/", nil); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody: status %d, want 401", a.StatusCode)
	}
}

func TestTheHeaderOfAStrangerIsNotBelieved(t *testing.T) {
	t.Parallel()
	r := newRig(t, behind("192.0.2.7"))
	for _, path := range []string{"/", "/mails", "/recipient", "/dead", "/health", "/stream"} {
		if a := r.visitor().as("kim@example.org", http.MethodGet, path, nil); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d, want 401", path, a.StatusCode)
		}
	}
}

func TestFlagsOfTheProxyAreChecked(t *testing.T) {
	t.Parallel()
	for _, bad := range []console.Config{
		{Addr: "127.0.0.1:0", TrustedProxies: []string{"proxy.example.org"}, UserHeader: "X-Forwarded-User"},
		{Addr: "127.0.0.1:0", TrustedProxies: []string{"127.0.0.1"}},
		{Addr: "127.0.0.1:0", Operators: []string{"kim"}},
	} {
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), "--console-") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	good := console.Config{Addr: "0.0.0.0:8995", TrustedProxies: []string{"10.0.0.7", "fd00::/8"}, UserHeader: "X-User", Operators: []string{"*"}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}
