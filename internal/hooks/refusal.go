package hooks

import (
	"fmt"
	"net/http"
)

// A refusal is any answer but 200: its HTTP status, why (the metric's label) and, for the log, what was behind it.
type refusal struct {
	status int
	reason string
	err    error
	unread bool // of the body: the connection cannot be used again
}

// The reasons.
const (
	reasonMethod    = "method"    // not a POST
	reasonBrowser   = "browser"   // made by a web page, or by a host name that may lead here for one
	reasonPassword  = "password"  // no basic auth, or another password
	reasonEncoding  = "encoding"  // a compressed body; SendGrid sends none
	reasonTooLarge  = "too_large" // a body over 8 MiB
	reasonBusy      = "busy"      // other bodies hold all memory there is for them
	reasonRead      = "read"      // the body did not arrive
	reasonUnsigned  = "unsigned"  // no signature headers
	reasonSignature = "signature" // a signature that none of the keys made
	reasonWindow    = "window"    // a signature older than --webhook-window
	reasonJSON      = "json"      // not a JSON array of objects
	reasonOkq       = "okq"       // the events are not known to be durable
)

func refuse(status int, reason string) *refusal { return &refusal{status: status, reason: reason} }

// before marks a refusal that leaves the body unread.
func (r *refusal) before() *refusal {
	r.unread = true
	return r
}

func (r *refusal) because(err error) *refusal {
	r.err = err
	return r
}

// Error is what the client is told: it holds nothing of what came or of what is behind us.
func (r *refusal) Error() string {
	if r.reason == reasonBrowser {
		return r.err.Error() // says what to do
	}
	return fmt.Sprintf("%s: %s", http.StatusText(r.status), r.reason)
}
