package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what can happen to a mail: SendGrid's event names, and Blocked,
// which SendGrid sends as a bounce of type blocked.
type Kind string

// The kinds of events.
const (
	Processed        Kind = "processed"
	Deferred         Kind = "deferred"
	Delivered        Kind = "delivered"
	Bounce           Kind = "bounce"
	Blocked          Kind = "blocked"
	Dropped          Kind = "dropped"
	Open             Kind = "open"
	Click            Kind = "click"
	SpamReport       Kind = "spamreport"
	Unsubscribe      Kind = "unsubscribe"
	GroupUnsubscribe Kind = "group_unsubscribe"
	GroupResubscribe Kind = "group_resubscribe"
)

// Kinds lists all of them in the order of a mail's life.
func Kinds() []Kind {
	return []Kind{
		Processed, Dropped, Deferred, Delivered, Bounce, Blocked,
		Open, Click, SpamReport, Unsubscribe, GroupUnsubscribe, GroupResubscribe,
	}
}

func (k Kind) known() bool { return slices.Contains(Kinds(), k) }

// wire is the value of the event field.
func (k Kind) wire() string {
	if k == Blocked {
		return string(Bounce)
	}
	return string(k)
}

// isReserved: fields that SendGrid sets in some event. A custom arg of such a
// name is not seen in any.
func isReserved(name string) bool {
	switch name {
	case "email", "timestamp", "event", "sg_event_id", "sg_message_id", "smtp-id", "category", "asm_group_id",
		"pool", "send_at", "reason", "response", "status", "attempt", "domain", "from", "type",
		"bounce_classification", "ip", "tls", "cert_err", "useragent", "url", "url_offset",
		"sg_machine_open", "sg_content_type":
		return true
	}
	return strings.HasPrefix(name, "marketing_campaign_")
}

// eventJSON writes an event as SendGrid does: custom args at the top level
// beside SendGrid's own fields, which win.
type eventJSON []byte

func (b *eventJSON) text(name, value string) {
	b.name(name)
	*b = appendString(*b, value)
}

func (b *eventJSON) number(name string, value int64) {
	b.name(name)
	*b = strconv.AppendInt(*b, value, 10)
}

func (b *eventJSON) raw(name, value string) {
	b.name(name)
	*b = append(*b, value...)
}

func (b *eventJSON) name(name string) {
	if len(*b) == 0 {
		*b = append(*b, '{')
	} else {
		*b = append(*b, ',')
	}
	*b = appendString(*b, name)
	*b = append(*b, ':')
}

// appendString spares the common case, plain ASCII, the reflection.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// render makes the JSON of h. It needs h.id and the time only beside what the
// mail says, so the same event can be rendered anywhere.
func (h *happens) render(now time.Time) []byte {
	m := h.mail
	b := make(eventJSON, 0, 512)
	b.text("email", h.to.Email)
	b.number("timestamp", now.Unix())
	b.text("event", h.kind.wire())
	b.text("sg_event_id", h.id)
	b.text("sg_message_id", fmt.Sprintf("%s.recvd-sandbox-1-%X-%X.0", h.messageID, now.Unix(), h.personalization))
	args := m.Args(h.personalization)
	for _, name := range slices.Sorted(maps.Keys(args)) {
		if !isReserved(name) {
			b.text(name, args[name])
		}
	}
	if len(m.Categories) > 0 && h.kind != GroupUnsubscribe && h.kind != GroupResubscribe {
		list, _ := json.Marshal(m.Categories) // strings always marshal
		b.raw("category", string(list))
	}
	if m.ASMGroupID != 0 {
		b.number("asm_group_id", m.ASMGroupID)
	}
	h.details(&b, now)
	return append(b, '}')
}
