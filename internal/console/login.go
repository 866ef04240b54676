package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"golang.org/x/time/rate"
)

// Logins are let through at this rate, whoever tries.
const (
	loginsPerSecond = 2
	loginBurst      = 10
)

const (
	maxForm     = 64 << 10 // bytes of a form
	maxUserName = 64       // bytes
)

// A gate knows the passwords.
type gate struct {
	hashes map[role][32]byte // none: no login is needed
	limit  *rate.Limiter
}

func newGate(passwords map[role]string) *gate {
	g := &gate{hashes: map[role][32]byte{}, limit: rate.NewLimiter(loginsPerSecond, loginBurst)}
	for role, password := range passwords {
		g.hashes[role] = sha256.Sum256([]byte(password))
	}
	return g
}

func (g *gate) open() bool { return len(g.hashes) == 0 }

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
	if _, ok := c.sessions.user(r); ok || c.gate.open() {
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
	if !c.gate.limit.Allow() {
		v.Error = "Too many logins are being tried. Wait a moment."
		c.renderLogin(w, http.StatusTooManyRequests, v)
		return
	}
	role, ok := c.gate.role(r.PostFormValue("password"))
	switch {
	case !ok:
		c.log.Warn().Str("addr", r.RemoteAddr).Msg("login refused")
		v.Error = "That is not the password."
		c.renderLogin(w, http.StatusForbidden, v)
		return
	case v.Name == "" || len(v.Name) > maxUserName:
		v.Error = "Give your name, in up to 64 letters: the log will say who did what."
		c.renderLogin(w, http.StatusBadRequest, v)
		return
	}
	u := user{Name: v.Name, Role: role}
	if err := c.sessions.start(w, r, u); err != nil {
		c.fail(w, r, err)
		return
	}
	c.log.Info().Str("user", u.Name).Str("role", string(role)).Str("addr", r.RemoteAddr).Msg("logged in")
	http.Redirect(w, r, v.Next, http.StatusSeeOther)
}

func (c *Console) formLogout(w http.ResponseWriter, r *http.Request) {
	c.sessions.end(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// ownPath is where a login leads: a path of this site, never another one (//host and /\host are that).
func ownPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n") {
		return "/"
	}
	return path
}
