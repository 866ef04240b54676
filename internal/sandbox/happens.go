package sandbox

import (
	"strings"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/mailsend"
)

// happens is an event on its way: what will be rendered when it is due, and
// the inbox's note of it after that.
type happens struct {
	sandbox         *Sandbox
	mail            *mailsend.Mail // the envelope
	messageID       string
	personalization int
	to              mailsend.Address
	kind            Kind
	reason          string // "" for the usual one
	id              string // sg_event_id

	note *Event // nil once the mail left the inbox
}

// Render is webhook.Event's.
func (h *happens) Render(now time.Time) []byte {
	h.id = h.sandbox.ids.event(string(h.kind), h.messageID)
	text := h.render(now)
	h.note = h.sandbox.inbox.addEvent(h.messageID, Event{ID: h.id, Kind: h.kind, Email: h.to.Email, At: now, JSON: text})
	h.sandbox.tally.event(h.kind)
	h.sandbox.feed.Changed()
	return text
}

// Answered is webhook.Event's.
func (h *happens) Answered(status int, err error) {
	h.sandbox.inbox.answered(h.note, status, err)
	h.sandbox.feed.Changed()
}

func (h *happens) domain() string {
	_, domain, _ := strings.Cut(h.to.Email, "@")
	return domain
}

// letHappen schedules what the recipients of a mail just accepted do, after
// its send_at.
func (s *Sandbox) letHappen(messageID string, m *mailsend.Mail, now time.Time) {
	for i, p := range m.Personalizations {
		at := m.SendAt
		if p.SendAt != 0 {
			at = p.SendAt
		}
		wait := max(0, time.Unix(at, 0).Sub(now))
		for _, to := range p.Recipients() {
			for _, b := range behaviour(to.Email, m, s.cfg.Delays) {
				s.hook.Schedule(&happens{
					sandbox: s, mail: m, messageID: messageID, personalization: i, to: to, kind: b.kind,
				}, wait+b.delay)
			}
		}
	}
}
