package sandbox

import (
	"strconv"
	"strings"
	"time"
)

const (
	serverIP  = "198.51.100.24" // RFC 5737: belongs to nobody
	readerIP  = "203.0.113.10"
	userAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
)

// defaultReason is what a receiving server, or SendGrid, gives as the reason.
func (k Kind) defaultReason() string {
	switch k {
	case Bounce:
		return "550 5.1.1 The email account that you tried to reach does not exist."
	case Blocked:
		return "550 5.7.1 Message blocked due to low reputation of the sending IP"
	case Dropped:
		return "Bounced Address"
	case Deferred:
		return "451 4.7.1 Please try again later"
	}
	return ""
}

// details writes the fields that only some kinds of events have.
func (h *happens) details(b *eventJSON, now time.Time) {
	m, reason := h.mail, h.reason
	if reason == "" {
		reason = h.kind.defaultReason()
	}
	switch h.kind {
	case Processed, Dropped, Deferred, Delivered, Bounce, Blocked:
		b.text("smtp-id", "<"+h.messageID+"@geopod-ismtpd-sandbox-0>")
	case Open, Click, GroupUnsubscribe, GroupResubscribe:
		b.text("ip", readerIP)
		b.text("useragent", userAgent)
	}
	switch h.kind {
	case Processed:
		b.number("send_at", m.SendAt)
		if m.IPPool != "" {
			b.raw("pool", string(append(appendString([]byte(`{"name":`), m.IPPool), `,"id":1}`...)))
		}
	case Dropped:
		b.text("reason", reason)
		b.text("status", "5.0.0")
	case Deferred:
		b.text("response", reason)
		b.text("attempt", "1")
		b.text("domain", h.domain())
		b.text("from", m.From.Email)
	case Delivered:
		b.text("response", "250 2.0.0 OK "+strconv.FormatInt(now.Unix(), 10))
		b.text("ip", serverIP)
		b.number("tls", 1)
		b.number("cert_err", 0)
	case Bounce:
		bounced(b, reason, "bounce", "Invalid Address")
	case Blocked:
		bounced(b, reason, "blocked", "Reputation")
	case Open:
		b.raw("sg_machine_open", "false")
		b.text("sg_content_type", "html")
	case Click:
		b.text("url", "https://example.com/")
		b.raw("url_offset", `{"index":0,"type":"html"}`)
	case GroupUnsubscribe, GroupResubscribe:
		b.text("url", "https://example.com/")
	}
}

func bounced(b *eventJSON, reason, kind, class string) {
	b.text("reason", reason)
	b.text("status", enhancedStatus(reason))
	b.text("type", kind)
	b.text("bounce_classification", class)
	b.text("ip", serverIP)
	b.number("tls", 1)
}

// enhancedStatus is the 5.1.1 of a reason such as "550 5.1.1 no such user".
func enhancedStatus(reason string) string {
	for word := range strings.FieldsSeq(reason) {
		if len(word) >= 5 && word[1] == '.' && word[0] >= '2' && word[0] <= '5' {
			return word
		}
	}
	return "5.0.0"
}
