package job

import (
	"bytes"
	"encoding/json"
	"errors"
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

// EventOneClick is postmaster's own: the recipient pressed the unsubscribe button of their mail program, or of
// pm-hooks' page. Only pm-hooks makes it; one that came in a webhook POST is an unknown event like any other.
//
//	{"event": "pm_unsubscribe", "email": "a@example.com", "pmFlags": 4, "timestamp": 1767225600}
//
// It opts Email out of the kinds of mail in Flags, and is about no mail in particular.
const EventOneClick = "pm_unsubscribe"

// The custom arguments that postmaster puts on each mail, and gets back on each of its events.
const (
	ArgStatsID    = "pmStatsID" // the mail's ID
	ArgEnvID      = "pmEnvID"   // the --environment that sent it
	ArgFold       = "pmFold"    // see Fold
	ArgTrace      = "pmTrace"   // the traceparent of the attempt, if pm-worker traces
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
	Flags     int64  // of an EventOneClick: what to opt out of
	Fold      string // ArgFold; empty for emails of versions before it
	Signed    bool   // SendGrid signed the POST that it came in; DecodeEvent cannot know
	Trace     string // W3C trace context of the attempt that sent the mail; may be empty
}

// DecodeEvent reads one webhook event. It fails only for what is not a JSON object, or one without an event name.
//
// SendGrid is not consistent about the types of its fields: one of the wrong type is one that is not there, and never
// costs the event. A mail's custom arguments stand beside SendGrid's own fields, so names are told apart to the letter
// case, which a struct with tags would not do: a caller's "Email" is not the recipient.
func DecodeEvent(raw []byte) (Event, error) {
	var w map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&w); err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	e := Event{
		ID: text(w["sg_event_id"]), Type: text(w["event"]), Email: text(w["email"]), At: EventTime(text(w["timestamp"])),
		StatsID: ID(text(w[ArgStatsID])), Env: text(w[ArgEnvID]), MessageID: text(w["sg_message_id"]),
		Reason: text(w["reason"]), Kind: text(w["type"]), Machine: text(w["sg_machine_open"]) == "true",
		Fold: text(w[ArgFold]), Trace: text(w[ArgTrace]),
	}
	if e.Type == "" {
		return Event{}, errors.New("decode event: no event name")
	}
	if e.StatsID == "" {
		e.StatsID = ID(text(w[ArgOldStatsID]))
	}
	if e.Env == "" {
		e.Env = DefaultEnv
	}
	if e.Reason == "" {
		e.Reason = text(w["response"])
	}
	if e.Type == EventOneClick {
		e.Flags, _ = strconv.ParseInt(text(w["pmFlags"]), 10, 64)
	}
	return e, nil
}

// EncodeOneClick returns an EventOneClick.
func EncodeOneClick(email string, flags int64, at time.Time) ([]byte, error) {
	b, err := json.Marshal(struct {
		Event     string `json:"event"`
		Email     string `json:"email"`
		Flags     int64  `json:"pmFlags"`
		Timestamp int64  `json:"timestamp"`
	}{EventOneClick, email, flags, at.Unix()})
	if err != nil {
		return nil, fmt.Errorf("encode unsubscribe: %w", err)
	}
	return b, nil
}

// Ours tells whether the event is about a mail that postmaster sent. An EventOneClick is not.
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

// EventTime reads an event's timestamp: unix seconds, or the milliseconds that marketing mail has. Zero when it is
// neither.
func EventTime(s string) time.Time {
	const tooManySeconds = 1e11 // the year 5138
	if n, err := strconv.ParseUint(s, 10, 64); err == nil && n > 0 && n < tooManySeconds {
		return time.Unix(int64(n), 0)
	}
	n, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || !(n > 0) || n > 1e14:
		return time.Time{}
	case n >= tooManySeconds:
		n /= 1000
	}
	return time.Unix(int64(n), 0)
}
