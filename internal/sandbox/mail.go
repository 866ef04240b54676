package sandbox

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/mailsend"
)

// Mail is one accepted request, as the inbox keeps it.
type Mail struct {
	ID         string         `json:"id"` // the X-Message-Id
	AcceptedAt time.Time      `json:"accepted_at"`
	Envelope   *mailsend.Mail `json:"envelope"` // without contents, attachments, headers; do not change it
	Events     []Event        `json:"events"`
	Body       []byte         `json:"-"` // the request as it was sent; do not change it
}

// Event is something that happened to a mail.
type Event struct {
	ID       string          `json:"sg_event_id"`
	Kind     Kind            `json:"kind"`
	Email    string          `json:"email"`
	At       time.Time       `json:"at"`
	JSON     json.RawMessage `json:"json"`            // as posted
	Posts    int             `json:"posts"`           // how often it was posted
	Status   int             `json:"status"`          // the webhook's last answer; 0: none
	Answered bool            `json:"answered"`        // the webhook said 2xx
	Error    string          `json:"error,omitempty"` // why there was no answer
}

// Request is the whole request, parsed anew from the body.
func (m Mail) Request() *mailsend.Mail {
	parsed, issues := mailsend.Parse(m.Body, m.AcceptedAt)
	if issues != nil {
		return m.Envelope // cannot be: the same body passed before
	}
	return parsed
}

// Subject is what the first recipient reads.
func (m Mail) Subject() string {
	if s := m.Envelope.Personalizations[0].Subject; s != "" {
		return s
	}
	return m.Envelope.Subject
}

// Recipients are the addresses of all personalizations.
func (m Mail) Recipients() []mailsend.Address {
	var all []mailsend.Address
	for _, p := range m.Envelope.Personalizations {
		all = append(all, p.Recipients()...)
	}
	return all
}

// Filter selects mails; its zero value selects all.
type Filter struct {
	To      string // a recipient's address, in any letter case
	StatsID string // the custom arg pmStatsID
	Text    string // part of an address, the subject or a custom arg, in any letter case
	Limit   int    // 0: no limit
}

func (f Filter) match(m *Mail) bool {
	return (f.To == "" || m.hasRecipient(f.To)) &&
		(f.StatsID == "" || m.hasStatsID(f.StatsID)) &&
		(f.Text == "" || m.hasText(strings.ToLower(f.Text)))
}

func (m *Mail) hasRecipient(email string) bool {
	for _, a := range m.Recipients() {
		if strings.EqualFold(a.Email, email) {
			return true
		}
	}
	return false
}

func (m *Mail) hasStatsID(id string) bool {
	for i := range m.Envelope.Personalizations {
		if m.Envelope.Args(i)[statsIDArg] == id {
			return true
		}
	}
	return false
}

func (m *Mail) hasText(lower string) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), lower) }
	if has(m.Subject()) || has(m.Envelope.From.String()) || has(m.ID) {
		return true
	}
	for _, a := range m.Recipients() {
		if has(a.String()) {
			return true
		}
	}
	for i := range m.Envelope.Personalizations {
		for _, v := range m.Envelope.Args(i) {
			if has(v) {
				return true
			}
		}
	}
	return false
}
