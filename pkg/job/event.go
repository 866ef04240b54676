package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// SendGrid's names for what happened to a mail: Event.Type.
// Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
const (
	EventProcessed        = "processed"
	EventDeferred         = "deferred"
	EventDelivered        = "delivered"
	EventBounce           = "bounce"
	EventDropped          = "dropped"
	EventOpen             = "open"
	EventClick            = "click"
	EventSpamReport       = "spamreport"
	EventUnsubscribe      = "unsubscribe"
	EventGroupUnsubscribe = "group_unsubscribe"
	EventGroupResubscribe = "group_resubscribe"
	EventAccountStatus    = "account_status_change"
)

// The custom arguments that postmaster puts on each mail, and gets back on each of its events.
const (
	ArgStatsID    = "pmStatsID" // the mail's ID
	ArgEnvID      = "pmEnvID"   // the --environment that sent it
	ArgOldStatsID = "stats_id"  // what versions before 0.4.0 called ArgStatsID

	DefaultEnv = "production" // the environment of an event without ArgEnvID, as in 0.4.0
)

// An Event is what postmaster reads of one of SendGrid's webhook events.
type Event struct {
	ID        string    // sg_event_id; may be empty
	Type      string    // one of the Event constants, or something newer
	Email     string    // the recipient it happened to
	At        time.Time // to the second
	StatsID   ID        // of the mail; empty when the mail is not postmaster's
	Env       string
	MessageID string // sg_message_id
	Reason    string // of a bounce, drop or deferral, for people
	Kind      string // "type": of a bounce, bounce or blocked; of an account_status_change, the new status
	Machine   bool   // an open that no person made (Apple's Mail Privacy Protection)
}

// wireEvent takes each field as it comes, since SendGrid is not consistent about their types: a field of the wrong
// type is a field that is not there, and never costs the event.
type wireEvent struct {
	ID         any `json:"sg_event_id"`
	Type       any `json:"event"`
	Email      any `json:"email"`
	Timestamp  any `json:"timestamp"`
	StatsID    any `json:"pmStatsID"`
	OldStatsID any `json:"stats_id"`
	Env        any `json:"pmEnvID"`
	MessageID  any `json:"sg_message_id"`
	Reason     any `json:"reason"`
	Response   any `json:"response"`
	Kind       any `json:"type"`
	Machine    any `json:"sg_machine_open"`
}

// DecodeEvent reads one webhook event. It fails only for what is not a JSON object, or one without an event name.
func DecodeEvent(raw []byte) (Event, error) {
	var w wireEvent
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&w); err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	e := Event{
		ID: text(w.ID), Type: text(w.Type), Email: text(w.Email), At: eventTime(text(w.Timestamp)),
		StatsID: ID(text(w.StatsID)), Env: text(w.Env), MessageID: text(w.MessageID),
		Reason: text(w.Reason), Kind: text(w.Kind), Machine: text(w.Machine) == "true",
	}
	if e.Type == "" {
		return Event{}, fmt.Errorf("decode event: no event name")
	}
	if e.StatsID == "" {
		e.StatsID = ID(text(w.OldStatsID))
	}
	if e.Env == "" {
		e.Env = DefaultEnv
	}
	if e.Reason == "" {
		e.Reason = text(w.Response)
	}
	return e, nil
}

// Ours tells whether the event is about a mail that postmaster sent.
func (e Event) Ours() bool { return e.StatsID.Valid() }

// SplitEvents cuts the contents of a stats event, or of a webhook POST, into its elements without copying them. A
// single object, which 0.4.0 queued, is a batch of one.
func SplitEvents(contents []byte) ([]json.RawMessage, error) {
	if trimmed := bytes.TrimLeft(contents, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		return []json.RawMessage{trimmed}, nil
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(contents, &raws); err != nil {
		return nil, fmt.Errorf("decode event batch: %w", err)
	}
	return raws, nil
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// eventTime reads unix seconds, or the milliseconds that marketing mail has. Zero when it is neither.
func eventTime(s string) time.Time {
	n, err := strconv.ParseFloat(s, 64)
	const tooManySeconds = 1e11 // the year 5138
	switch {
	case err != nil || !(n > 0) || n > 1e14:
		return time.Time{}
	case n >= tooManySeconds:
		n /= 1000
	}
	return time.Unix(int64(n), 0)
}
