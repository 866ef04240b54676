package console_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/console"
)

// withUsers is a console with an operator kim and a reader lee, and the path of their file.
func withUsers(t *testing.T) (users option, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "users")
	for name, role := range map[string]string{"kim": "operator", "lee": ""} {
		if err := console.SetPassword(path, name, role, "password of "+name); err != nil {
			t.Fatal(err)
		}
	}
	return func(c *console.Config, _ *console.Deps) { c.UsersFile = path }, path
}

func (v *visitor) login(name, password string) int {
	status, _ := v.post("/login", url.Values{"name": {name}, "password": {password}})
	return status
}

func TestUsersHavePasswordsAndRolesOfTheirOwn(t *testing.T) {
	t.Parallel()
	users, _ := withUsers(t)
	r := newRig(t, users)
	kim, lee := r.visitor(), r.visitor()
	if kim.login("kim", "password of lee") != http.StatusForbidden || kim.login("nobody", "password of kim") != http.StatusForbidden {
		t.Error("a password lets another user in")
	}
	if kim.login("kim", "password of kim") != http.StatusSeeOther || lee.login("lee", "password of lee") != http.StatusSeeOther {
		t.Fatal("users cannot log in")
	}
	if status, _ := kim.post("/recipient", url.Values{"address": {"ann@example.com"}, "shown": {"2"}}); status != http.StatusSeeOther {
		t.Errorf("an operator: %d", status)
	}
	if status, _ := lee.post("/recipient", url.Values{"address": {"ann@example.com"}, "shown": {"2"}}); status != http.StatusForbidden {
		t.Errorf("a reader changes preferences: %d, want 403", status)
	}
}

func TestANewPasswordEndsTheLogins(t *testing.T) {
	t.Parallel()
	users, path := withUsers(t)
	r := newRig(t, users)
	kim := r.visitor()
	kim.login("kim", "password of kim")
	if err := console.SetPassword(path, "kim", "", "another password"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if status, _ := kim.get("/"); status == http.StatusSeeOther {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("still logged in with the old password")
		}
	}
	if kim.login("kim", "another password") != http.StatusSeeOther {
		t.Error("the new password is not taken")
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "kim:operator:$2") || strings.Contains(string(text), "another password") {
		t.Errorf("the file: %s, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}

func TestUsersFilesThatCannotServeAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "kim", "kim:operator:plain text", "kim:boss:$2a$10$...", "ki m:operator:x"} {
		path := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := console.New(console.Config{Addr: "127.0.0.1:0", UsersFile: path}, console.Deps{}, zerolog.Nop())
		if err == nil || !strings.Contains(err.Error(), "--console-users-file") || strings.Contains(err.Error(), "plain text") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := console.SetPassword(filepath.Join(t.TempDir(), "users"), "kim", "operator", "short"); err == nil {
		t.Error("a short password is taken")
	}
}

func TestWhoGuessesLocksNobodyElseOut(t *testing.T) {
	t.Parallel()
	users, _ := withUsers(t)
	r := newRig(t, users)
	v := r.visitor()
	refused := false
	for range 20 {
		refused = refused || v.login("kim", "a guess") == http.StatusTooManyRequests
	}
	if !refused {
		t.Error("20 guesses were let through")
	}
	if status := r.visitor().login("lee", "password of lee"); status != http.StatusSeeOther {
		t.Errorf("another user from the same address: %d", status)
	}
}

// A copy of the cookie, from a shared computer or a proxy's log, is worth nothing after the logout.
func TestALogoutEndsTheSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, withLogin(t))
	v := r.visitor()
	a := v.do(v.request(http.MethodPost, "/login", url.Values{"name": {"Kim"}, "password": {password}}))
	copied := a.Cookies()[0]
	v.post("/logout", url.Values{})
	thief := r.visitor()
	req := thief.request(http.MethodGet, "/", nil)
	req.AddCookie(copied)
	if a := thief.do(req); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the cookie after the logout: %d, want the login page", a.StatusCode)
	}
}
