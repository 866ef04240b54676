package console

import (
	"context"
	"net/http"
	"net/url"

	"github.com/levenlabs/postmaster/internal/browserguard"
	"github.com/levenlabs/postmaster/internal/listen"
)

type userKey struct{}

// userOf returns who makes a request that the guard let pass.
func userOf(r *http.Request) user {
	u, _ := r.Context().Value(userKey{}).(user)
	return u
}

// guard lets users pass, and POSTs only from those who may change things.
func (c *Console) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, ok := c.admit(r)
		switch {
		case !ok && c.gate.open() && c.proxy != nil:
			http.Error(w, "Come through the proxy that logs you in.", http.StatusUnauthorized)
			return
		case !ok && c.gate.open():
			http.Error(w, "This console has no password, and so answers only as localhost.", http.StatusMisdirectedRequest)
			return
		case !ok && r.Method == http.MethodGet && r.URL.Path != streamPath:
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		case !ok:
			http.Error(w, "Log in first.", http.StatusUnauthorized)
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead && u.Role != operator:
			c.log.Warn().Str("user", u.Name).Str("addr", r.RemoteAddr).Str("path", r.URL.Path).Msg("read-only user refused")
			http.Error(w, "You are logged in to look, not to change anything.", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, u)))
	})
}

// openGuard is for a console without passwords.
var openGuard browserguard.Guard

// admit tells who makes the request. Without passwords that is whoever sits at this machine, but not a page of another
// site whose name leads to this machine (DNS rebinding): its requests name that site as their host.
func (c *Console) admit(r *http.Request) (user, bool) {
	if c.proxy != nil {
		if u, ok := c.proxy.user(r); ok || c.gate.open() {
			return u, ok
		}
	}
	if c.gate.open() {
		return user{Name: "local", Role: operator}, listen.IsLoopback(r.Host) && openGuard.Check(r) == nil
	}
	return c.loggedIn(r)
}
