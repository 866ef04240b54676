package sandbox

import (
	"strings"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/mailsend"
)

// happening is one thing that happens to a mail at a recipient's.
type happening struct {
	kind  Kind
	delay time.Duration
}

// localName is what decides a recipient's behaviour: the local part without
// its +tag, so that tests can tell recipients apart.
func localName(email string) string {
	local, _, _ := strings.Cut(email, "@")
	name, _, _ := strings.Cut(local, "+")
	return strings.ToLower(name)
}

// behaviour is what happens at a recipient's address, in order.
func behaviour(email string, m *mailsend.Mail, d Delays) []happening {
	processed := happening{Processed, d.Processed}
	delivered := happening{Delivered, d.Delivered}
	open := happening{Open, d.Open}
	switch localName(email) {
	case "bounce":
		return []happening{processed, {Bounce, d.Delivered}}
	case "block":
		return []happening{processed, {Blocked, d.Delivered}}
	case "drop":
		return []happening{{Dropped, d.Processed}}
	case "spam":
		return []happening{processed, delivered, {SpamReport, d.Open}}
	case "defer":
		return []happening{processed, {Deferred, d.Delivered}, {Delivered, d.Open}}
	case "unsub":
		return []happening{processed, delivered, {Unsubscribe, d.Open}}
	case "click":
		return []happening{processed, delivered, open, {Click, d.Open + d.Processed}}
	case "noopen":
		return []happening{processed, delivered}
	}
	if m.NoOpenTracking {
		return []happening{processed, delivered}
	}
	return []happening{processed, delivered, open}
}
