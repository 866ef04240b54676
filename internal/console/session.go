package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// role is what a user may do.
type role string

const (
	operator role = "operator"  // everything
	reader   role = "read-only" // look
)

// A user is who is logged in.
type user struct {
	Name    string    `json:"name"` // without a users file as they gave it, for the log
	Role    role      `json:"role"`
	Expires time.Time `json:"expires"`
	ID      string    `json:"id"`              // of the login
	Stamp   string    `json:"stamp,omitempty"` // of the account in the users file
	Proxied bool      `json:"-"`               // a proxy logged them in
}

const (
	cookieName = "pm_console"
	// sessionLength is how long a login lasts.
	sessionLength = 12 * time.Hour
)

// sessions makes and reads the cookie of a login: the user, signed with a key that this process has made. A restart
// therefore logs everybody out.
type sessions struct {
	key [32]byte

	mu    sync.Mutex           // protects ended
	ended map[string]time.Time // logins that were ended, until their cookies expire
}

func newSessions() *sessions {
	s := &sessions{ended: make(map[string]time.Time)}
	rand.Read(s.key[:]) // never fails
	return s
}

func (s *sessions) sign(payload string) []byte {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write([]byte(payload))
	return mac.Sum(nil)
}

// start logs u in. The cookie is for encrypted connections alone when this one is, which a proxy tells.
func (s *sessions) start(w http.ResponseWriter, r *http.Request, u user) error {
	u.Expires, u.ID = time.Now().Add(sessionLength), rand.Text()
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	payload := base64.RawURLEncoding.EncodeToString(b)
	cookie := sessionCookie(r, payload+"."+base64.RawURLEncoding.EncodeToString(s.sign(payload)))
	cookie.MaxAge = int(sessionLength.Seconds())
	http.SetCookie(w, cookie)
	return nil
}

// end logs out: a copy of the cookie is worth nothing from now on.
func (s *sessions) end(w http.ResponseWriter, r *http.Request) {
	if u, ok := s.user(r); ok {
		s.mu.Lock()
		maps.DeleteFunc(s.ended, func(_ string, expires time.Time) bool { return time.Now().After(expires) })
		s.ended[u.ID] = u.Expires
		s.mu.Unlock()
	}
	cookie := sessionCookie(r, "")
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
}

func sessionCookie(r *http.Request, value string) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	}
}

// user reads the request's cookie.
func (s *sessions) user(r *http.Request) (user, bool) {
	var u user
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return u, false
	}
	payload, mac, _ := strings.Cut(cookie.Value, ".")
	signature, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || !hmac.Equal(signature, s.sign(payload)) {
		return u, false
	}
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(b, &u) != nil {
		return u, false
	}
	s.mu.Lock()
	_, ended := s.ended[u.ID]
	s.mu.Unlock()
	return u, !ended && time.Now().Before(u.Expires)
}
