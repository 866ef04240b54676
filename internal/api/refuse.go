package api

import (
	"encoding/json"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/levenlabs/postmaster/internal/connlimit"
)

// openRPCPath is where a GET finds the description of the methods.
const openRPCPath = "/openrpc.json"

// usage ends the answers to those who do not know how to call.
const usage = "POST JSON-RPC 2.0 as application/json; " + openRPCPath + " describes the methods"

// A refusal answers a request that is not even read.
type refusal struct {
	status int
	text   string // one line
	v3     bool   // in SendGrid's shape
}

// refuse returns why a request is not read, or nil.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request) *refusal {
	v3 := isV3(r.URL.Path)
	if err := s.guard.Check(r); err != nil {
		return &refusal{http.StatusForbidden, err.Error(), v3}
	}
	switch {
	case v3:
		return &refusal{http.StatusNotFound, "SendGrid's API is not in this version: " + usage, v3}
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return &refusal{http.StatusMethodNotAllowed, usage, v3}
	case !s.tokens.allow(r.Header):
		w.Header().Set("WWW-Authenticate", `Bearer realm="postmaster"`)
		return &refusal{http.StatusUnauthorized, "a token is needed: Authorization: Bearer TOKEN, one of --api-token", v3}
	case !isJSON(r.Header.Get("Content-Type")):
		w.Header().Set("Accept-Post", "application/json")
		return &refusal{http.StatusUnsupportedMediaType, usage, v3}
	}
	return nil
}

// write answers and has the connection closed if there is a body: reading what is refused would cost as much as serving it.
func (f *refusal) write(w http.ResponseWriter, r *http.Request) {
	if f.status == http.StatusUnauthorized {
		connlimit.Of(r).Wrong(r.Context())
	}
	if r.ContentLength != 0 {
		connlimit.Refuse(w)
	}
	if !f.v3 {
		http.Error(w, f.text, f.status)
		return
	}
	type v3Error struct {
		Message string  `json:"message"`
		Field   *string `json:"field"`
		Help    *string `json:"help"`
	}
	body, _ := json.Marshal(map[string][]v3Error{"errors": {{Message: f.text}}}) // nothing in it can fail
	writeJSON(w, f.status, body)
}

// isV3 reports whether a path is one of SendGrid's API, however its slashes and dots are written. A client that was
// pointed at the wrong host must not take a JSON-RPC answer for SendGrid's.
func isV3(p string) bool {
	p = path.Clean("/" + p)
	return p == "/v3" || strings.HasPrefix(p, "/v3/")
}

// isJSON: parameters are allowed, and so is no header at all, which 0.4.0 took.
func isJSON(contentType string) bool {
	if contentType == "" || contentType == "application/json" {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == "application/json" || mediaType == "application/json-rpc" || mediaType == "application/jsonrequest")
}
