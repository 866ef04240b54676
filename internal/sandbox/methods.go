package sandbox

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/levenlabs/postmaster/internal/sandbox/faults"
)

// Mails are the mails in the inbox, newest first.
func (s *Sandbox) Mails() []Mail { return s.Find(Filter{}) }

// Find are the mails in the inbox that f selects, newest first.
func (s *Sandbox) Find(f Filter) []Mail {
	found, _ := s.inbox.find(f)
	return found
}

// Mail is the one with that X-Message-Id.
func (s *Sandbox) Mail(id string) (Mail, bool) { return s.inbox.get(id) }

// DeleteMails empties the inbox. Counters stay, and events under way too.
func (s *Sandbox) DeleteMails() {
	s.inbox.clear()
	s.feed.Changed()
}

// Accepted is how often a mail with that pmStatsID was accepted: 1 is right,
// more is a double.
func (s *Sandbox) Accepted(statsID string) int { return s.tally.times(statsID) }

// AllAccepted is a snapshot of every pmStatsID accepted so far with its count.
func (s *Sandbox) AllAccepted() iter.Seq2[string, Acceptance] { return s.tally.all() }

// Counters is a snapshot.
func (s *Sandbox) Counters() Counters {
	c := s.tally.snapshot()
	c.Webhook = s.hook.Counts()
	return c
}

// SetFaults replaces the fault menu.
func (s *Sandbox) SetFaults(rules ...faults.Rule) error { return s.setMenu(faults.Menu{Rules: rules}) }

func (s *Sandbox) setMenu(m faults.Menu) error {
	defer s.feed.Changed()
	return s.faults.Replace(m)
}

// Faults is the fault menu in force.
func (s *Sandbox) Faults() faults.Menu { return s.faults.Menu() }

// ClearFaults empties the fault menu.
func (s *Sandbox) ClearFaults() {
	s.faults.Clear()
	s.feed.Changed()
}

// Errors of MakeEvent.
var (
	ErrNoMail      = errors.New("no such mail in the inbox")
	ErrNoRecipient = errors.New("the mail has no such recipient")
	ErrUnknownKind = errors.New("unknown event")
)

// EventRequest asks for an event by hand.
type EventRequest struct {
	Kind   Kind   `json:"event"`
	Email  string `json:"email"`  // which recipient; empty: each of them
	Reason string `json:"reason"` // of bounce, blocked, dropped, deferred; empty: the usual
}

// MakeEvent lets something happen to a mail now, and answers to how many
// recipients. The event goes to the webhook like any other.
func (s *Sandbox) MakeEvent(messageID string, req EventRequest) (int, error) {
	if !req.Kind.known() {
		return 0, fmt.Errorf("%w %q: must be one of %q", ErrUnknownKind, req.Kind, Kinds())
	}
	m, ok := s.inbox.get(messageID)
	if !ok {
		return 0, ErrNoMail
	}
	n := 0
	for i, p := range m.Envelope.Personalizations {
		for _, to := range p.Recipients() {
			if req.Email != "" && !strings.EqualFold(req.Email, to.Email) {
				continue
			}
			n++
			s.hook.Schedule(&happens{
				sandbox: s, mail: m.Envelope, messageID: messageID, personalization: i,
				to: to, kind: req.Kind, reason: req.Reason,
			}, 0)
		}
	}
	if n == 0 {
		return 0, ErrNoRecipient
	}
	return n, nil
}
