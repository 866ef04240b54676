package sandbox

import (
	"encoding/json"
	"net/http"

	"github.com/levenlabs/postmaster/internal/sandbox/mailsend"
)

// SendGrid's own words.
const (
	saysWrongKey  = "The provided authorization grant is invalid, expired, or revoked"
	saysNoKey     = "authorization required"
	saysNoCredits = "Maximum credits exceeded"
	saysSender    = "The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved. Visit https://sendgrid.com/docs/for-developers/sending-email/sender-identity/ to see the Sender Identity requirements"
	saysBlocked   = "You are temporarily blocked because of repeated bad requests"
	saysTooMany   = "too many requests"
	saysNoMethod  = "method not allowed"
	saysNoRoute   = "not found"
	saysNoAccept  = "The Accept header is required"
	saysMediaType = "Content-Type should be application/json."
	saysBadBody   = "Bad Request"
	saysTooLarge  = "413 Request Entity Too Large"
)

// answer writes an error the way SendGrid does.
func answer(w http.ResponseWriter, status int, issues ...mailsend.Issue) {
	body, _ := json.Marshal(map[string][]mailsend.Issue{"errors": issues}) // strings always marshal
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body) //nolint:errcheck // the client may have gone
}

func answerText(w http.ResponseWriter, status int, message string) {
	answer(w, status, mailsend.General(message))
}

// answerHTML writes an error as the proxy in front of SendGrid does.
func answerHTML(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	w.Write([]byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + //nolint:errcheck // as above
		title + "</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"))
}
