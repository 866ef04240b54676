package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
)

// tokens are kept as their hashes: what is compared has the same length always, and takes the same time.
type tokens [][sha256.Size]byte

func newTokens(list []string) tokens {
	t := make(tokens, len(list))
	for i, token := range list {
		t[i] = sha256.Sum256([]byte(token))
	}
	return t
}

// allow tells whether a request has one of the tokens, or none is demanded.
func (t tokens) allow(h http.Header) bool {
	if len(t) == 0 {
		return true
	}
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	given := sha256.Sum256([]byte(strings.TrimSpace(token)))
	match := 0
	for i := range t {
		match |= subtle.ConstantTimeCompare(given[:], t[i][:])
	}
	return match == 1
}

// requestID is the caller's own name for the request, if it is a sane one to log, or a new one.
func requestID(h http.Header) string {
	if id := h.Get("X-Request-Id"); isRequestID(id) {
		return id
	}
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func isRequestID(id string) bool {
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == ':':
		default:
			return false
		}
	}
	return id != "" && len(id) <= 128
}
