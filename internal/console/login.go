package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const (
	maxForm     = 64 << 10 // bytes of a form
	maxUserName = 64       // bytes
)

// A gate knows the passwords: one for each role, whatever name is given, or one for each user.
type gate struct {
	hashes   map[role][32]byte
	users    *users // may be nil
	throttle throttle
}

func newGate(passwords map[role]string, users *users) *gate {
	g := &gate{hashes: map[role][32]byte{}, users: users}
	for role, password := range passwords {
		g.hashes[role] = sha256.Sum256([]byte(password))
	}
	return g
}

// open reports whether no login is needed.
func (g *gate) open() bool { return len(g.hashes) == 0 && g.users == nil }

// login returns the user that may log in so.
func (g *gate) login(name, password string) (user, bool, error) {
	if g.users == nil {
		role, ok := g.role(password)
		return user{Name: name, Role: role}, ok, nil
	}
	a, _, err := g.users.find(name)
	if !a.matches(password) {
		return user{}, false, err
	}
	return user{Name: name, Role: a.role, Stamp: a.stamp()}, true, err
}

// still returns a logged in user as the users file has it now. One whose password was changed, or who is no longer in
// it, is logged out.
func (g *gate) still(u user) (user, bool) {
	if g.users == nil {
		return u, true
	}
	a, ok, _ := g.users.find(u.Name) // a file that cannot be read leaves users as they were
	u.Role = a.role
	return u, ok && a.stamp() == u.Stamp
}

// stamp is a short hash of the account's hash, for its cookie.
func (a account) stamp() string {
	sum := sha256.Sum256([]byte(a.hash))
	return fmt.Sprintf("%x", sum[:8])
}

// role returns whose password it is.
func (g *gate) role(password string) (role, bool) {
	got := sha256.Sum256([]byte(password))
	for role, want := range g.hashes {
		if subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
			return role, true
		}
	}
	return "", false
}

type loginView struct {
	page
	Name, Next string
}

func (c *Console) pageLogin(w http.ResponseWriter, r *http.Request) {
	next := ownPath(r.URL.Query().Get("next"))
	if _, ok := c.loggedIn(r); ok || c.gate.open() {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	c.renderLogin(w, http.StatusOK, loginView{Next: next})
}

func (c *Console) renderLogin(w http.ResponseWriter, status int, v loginView) {
	v.Title, v.Page = "Log in", "login"
	c.render(w, status, "login", v)
}

func (c *Console) formLogin(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	v := loginView{Name: strings.TrimSpace(r.PostFormValue("name")), Next: ownPath(r.PostFormValue("next"))}
	if v.Name == "" || len(v.Name) > maxUserName { // before anything is remembered of it
		v.Error = "Give your name, in up to 64 letters: the log will say who did what."
		c.renderLogin(w, http.StatusBadRequest, v)
		return
	}
	if !c.gate.throttle.allow(r, v.Name) {
		v.Error = "Too many logins are being tried. Wait a moment."
		c.renderLogin(w, http.StatusTooManyRequests, v)
		return
	}
	u, ok, err := c.gate.login(v.Name, r.PostFormValue("password"))
	if err != nil {
		c.log.Error().Err(err).Msg("the users file cannot be read, users stay as they were")
	}
	switch {
	case !ok:
		c.log.Warn().Str("addr", r.RemoteAddr).Msg("login refused")
		v.Error = "That is not the name and the password of a user."
		if c.gate.users == nil {
			v.Error = "That is not the password."
		}
		c.renderLogin(w, http.StatusForbidden, v)
		return
	}
	if err := c.sessions.start(w, r, u); err != nil {
		c.fail(w, r, err)
		return
	}
	c.log.Info().Str("user", u.Name).Str("role", string(u.Role)).Str("addr", r.RemoteAddr).Msg("logged in")
	http.Redirect(w, r, v.Next, http.StatusSeeOther)
}

// loggedIn returns who made a request, by its cookie.
func (c *Console) loggedIn(r *http.Request) (user, bool) {
	u, ok := c.sessions.user(r)
	if !ok {
		return u, false
	}
	return c.gate.still(u)
}

func (c *Console) formLogout(w http.ResponseWriter, r *http.Request) {
	if u, ok := c.sessions.user(r); ok {
		c.log.Info().Str("user", u.Name).Str("addr", r.RemoteAddr).Msg("logged out")
	}
	c.sessions.end(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// ownPath returns a path of this site for where a login leads, never another site. Browsers take //host and /\host for
// one, and leave out tabs and line breaks before they look.
func ownPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") {
		return "/"
	}
	if strings.ContainsFunc(u.Path, func(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f }) || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	return u.RequestURI()
}
