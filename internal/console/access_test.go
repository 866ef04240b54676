package console_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/console"
)

// inside are paths that only users may see.
var inside = []string{
	"/", "/stream", "/no-such-page", "/mails", "/mails?q=ann%40example.com", "/mails/6a0000000000000000000000", "/mails/6a0000000000000000000000/html",
	"/recipient?address=ann%40example.com", "/dead", "/dead/ask?act=drop&all=1",
}

// acts are paths that change something.
var acts = []string{"/no-such-act", "/recipient", "/dead"}

func TestWithoutAPasswordOnlyThisMachineMayListen(t *testing.T) {
	for addr, fine := range map[string]bool{
		"127.0.0.1:0": true, "localhost:8995": true, "[::1]:8995": true,
		"0.0.0.0:8995": false, ":8995": false, "[::]:8995": false, "192.0.2.1:8995": false, "console.example.com:8995": false,
	} {
		open := console.Config{Addr: addr}
		if l := open.Listeners()[0]; l.Exposed() == fine || !strings.Contains(l.Fault().Error(), "--console-password-file") {
			t.Errorf("%s without a password: exposed %v, %v", addr, l.Exposed(), l.Fault())
		}
		closed := console.Config{Addr: addr, PasswordFile: "/some/file"}
		if err := closed.Validate(); err != nil || closed.Listeners()[0].Exposed() {
			t.Errorf("%s with a password: %v", addr, err)
		}
	}
	if err := (&console.Config{Addr: "127.0.0.1:0", ReadOnlyPasswordFile: "/some/file"}).Validate(); err == nil {
		t.Error("a read-only password alone is taken")
	}
}

func TestPasswordFilesThatCannotServeAreRefused(t *testing.T) {
	for _, bad := range []console.Config{
		{PasswordFile: "/no/such/file"},
		{PasswordFile: secret(t, "short")},
		{PasswordFile: secret(t, password), ReadOnlyPasswordFile: secret(t, "")},
		{PasswordFile: secret(t, password), ReadOnlyPasswordFile: secret(t, password+"\n")},
	} {
		bad.Addr = "127.0.0.1:0"
		_, err := console.New(bad, console.Deps{}, zerolog.Nop())
		if err == nil || !strings.Contains(err.Error(), "password-file") || strings.Contains(err.Error(), password) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestAStrangerSeesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLogin(t))
	r.enqueue(mail("ann@example.com"))
	forged := &http.Cookie{Name: "pm_console", Value: "eyJuYW1lIjoiS2ltIiwicm9sZSI6Im9wZXJhdG9yIiwiZXhwaXJlcyI6IjIwOTktMDEtMDFUMDA6MDA6MDBaIn0.AAAA"}
	for _, cookie := range []*http.Cookie{nil, forged} {
		for _, path := range inside {
			v := r.visitor()
			req := v.request(http.MethodGet, path, nil)
			if cookie != nil {
				req.AddCookie(cookie)
			}
			a := v.do(req)
			toLogin := a.StatusCode == http.StatusSeeOther && a.Header.Get("Location") == "/login?next="+url.QueryEscape(path)
			if !toLogin && a.StatusCode != http.StatusUnauthorized || strings.Contains(a.body, "email-normal") || strings.Contains(a.body, "ann@") {
				t.Errorf("GET %s with cookie %v: %d %q", path, cookie != nil, a.StatusCode, a.body)
			}
		}
		for _, path := range acts {
			v := r.visitor()
			req := v.request(http.MethodPost, path, url.Values{})
			if cookie != nil {
				req.AddCookie(cookie)
			}
			if a := v.do(req); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("POST %s with cookie %v: %d, want 401", path, cookie != nil, a.StatusCode)
			}
		}
	}
}

func TestALoginIsACookieOfThisSiteAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLogin(t))
	v := r.visitor()
	if status, body := v.post("/login", url.Values{"name": {"Kim"}, "password": {"wrong password"}}); status != http.StatusForbidden || !strings.Contains(body, "not the password") {
		t.Errorf("wrong password: %d %q", status, body)
	}
	if status, _ := v.post("/login", url.Values{"name": {" "}, "password": {password}}); status != http.StatusBadRequest {
		t.Errorf("no name: %d, want 400", status)
	}
	for proto, secure := range map[string]bool{"": false, "https": true} {
		req := v.request(http.MethodPost, "/login", url.Values{"name": {"Kim"}, "password": {password}, "next": {"/?x=1"}})
		req.Header.Set("X-Forwarded-Proto", proto)
		a := v.do(req)
		cookies := a.Cookies()
		if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/?x=1" || len(cookies) != 1 {
			t.Fatalf("login: %d to %q, cookies %v", a.StatusCode, a.Header.Get("Location"), cookies)
		}
		if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure != secure || c.MaxAge <= 0 {
			t.Errorf("behind %q: cookie %v", proto, c)
		}
	}
	v = r.loggedIn(password)
	if status, body := v.get("/"); status != http.StatusOK || !strings.Contains(body, "Kim") {
		t.Errorf("after the login: %d %q", status, body)
	}
	if lines := r.log.lines("logged in"); len(lines) == 0 || lines[0]["user"] != "Kim" {
		t.Errorf("logged %v, want who logged in", lines)
	}
	v.post("/logout", url.Values{})
	if status, _ := v.get("/"); status != http.StatusSeeOther {
		t.Errorf("after the logout: %d, want the login page", status)
	}
}

func TestALoginLeadsToThisSiteOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLogin(t))
	for i, next := range []string{"//evil.example", `/\evil.example`, "/\t/evil.example", "/\n/evil.example", "/%09/evil.example", "/%5cevil.example", "http:/evil.example", "/\u2028//x\x00", "https://evil.example", "evil", ""} {
		v := r.visitor()
		a := v.do(v.request(http.MethodPost, "/login", url.Values{"name": {"Kim" + strconv.Itoa(i)}, "password": {password}, "next": {next}}))
		if to := a.Header.Get("Location"); to != "/" {
			t.Errorf("next %q leads to %q", next, to)
		}
	}
}

func TestGuessingIsSlow(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLogin(t))
	v := r.visitor()
	for range 1000 {
		status, _ := v.post("/login", url.Values{"name": {"Kim"}, "password": {"a wrong guess"}})
		if status == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("1,000 guesses were let through")
}

func TestAReadOnlyUserChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLogin(t))
	v := r.loggedIn(readOnlyPassword)
	if status, body := v.get("/"); status != http.StatusOK || !strings.Contains(body, "read-only") {
		t.Errorf("the page: %d %q", status, body)
	}
	for _, path := range acts {
		if status, _ := v.post(path, url.Values{}); status != http.StatusForbidden {
			t.Errorf("POST %s: %d, want 403", path, status)
		}
	}
}

func TestAForgedPostFromAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLogin(t))
	v := r.loggedIn(password)
	for _, path := range append(acts, "/login", "/logout") {
		for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			req := v.request(http.MethodPost, path, url.Values{})
			req.Header.Set(header, value)
			if a := v.do(req); a.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s with %s %s: %d, want 403", path, header, value, a.StatusCode)
			}
		}
	}
	if status, _ := v.get("/"); status != http.StatusOK {
		t.Errorf("afterwards: %d, want still logged in", status)
	}
}

// A name of the attacker's that leads to 127.0.0.1 makes their page and the console one origin.
func TestAnOpenConsoleAnswersOnlyAsThisMachine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.visitor()
	if status, _ := v.get("/"); status != http.StatusOK {
		t.Errorf("as this machine: %d", status)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		req := v.request(method, "/", nil)
		req.Host = "rebound.example:8995"
		if a := v.do(req); a.StatusCode != http.StatusMisdirectedRequest || strings.Contains(a.body, "email-normal") {
			t.Errorf("%s as another host: %d %q", method, a.StatusCode, a.body)
		}
	}
}

func TestPagesLoadNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	v := newRig(t).visitor()
	a := v.do(v.request(http.MethodGet, "/", nil))
	if policy := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; ") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if strings.Contains(strings.ReplaceAll(a.body, "http://www.w3.org/2000/svg", ""), "//") || strings.Contains(a.body, "style=") {
		t.Errorf("the page names another site, or a style that the policy forbids: %s", a.body)
	}
}
