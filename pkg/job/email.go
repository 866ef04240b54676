package job

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// The values of Email.Priority and Email.OnUnknown; empty means the first of each.
const (
	PriorityNormal = "normal"
	PriorityHigh   = "high"

	// OnUnknown says what becomes of a mail whose outcome SendGrid never told: send it again, or hold it as a dead
	// letter for a person to decide.
	OnUnknownResend = "resend"
	OnUnknownHold   = "hold"
)

// An Email is one mail to send: the params of Postmaster.Enqueue and the contents of an event in an email queue.
// Validate states the limits of each field.
type Email struct {
	ID         ID                `json:"id,omitempty"` // given by pm-api; jobs of 0.4.0 have none
	To         string            `json:"to"`
	ToName     string            `json:"toName,omitempty"`
	From       string            `json:"from"`
	FromName   string            `json:"fromName,omitempty"`
	Subject    string            `json:"subject"`
	HTML       string            `json:"html,omitempty"`
	Text       string            `json:"text,omitempty"`
	ReplyTo    string            `json:"replyTo,omitempty"`
	UniqueArgs map[string]string `json:"uniqueArgs,omitempty"` // SendGrid's custom arguments
	Flags      int64             `json:"flags"`                // the kinds of mail this is; see Allowed
	UniqueID   string            `json:"uniqueID,omitempty"`   // the caller's key for GetLastEmail

	CC             []Address         `json:"cc,omitempty"`
	BCC            []Address         `json:"bcc,omitempty"`
	Headers        map[string]string `json:"headers,omitempty"`
	Categories     []string          `json:"categories,omitempty"`
	Attachments    []Attachment      `json:"attachments,omitempty"`
	TemplateID     string            `json:"templateID,omitempty"`
	TemplateData   json.RawMessage   `json:"templateData,omitempty"` // a JSON object
	ASMGroupID     int               `json:"asmGroupID,omitempty"`
	IPPool         string            `json:"ipPool,omitempty"`
	Priority       string            `json:"priority,omitempty"`
	SendAt         int64             `json:"sendAt,omitempty"`     // unix seconds; 0 is at once
	SendBefore     int64             `json:"sendBefore,omitempty"` // unix seconds; 0 is never too late
	IdempotencyKey string            `json:"idempotencyKey,omitempty"`
	OnUnknown      string            `json:"onUnknown,omitempty"` // empty: as pm-worker's --unknown says

	TraceParent string `json:"traceparent,omitempty"` // W3C trace context, given by pm-api if it traces
}

// An Address is one more recipient of an Email.
type Address struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
}

// An Attachment travels as SendGrid takes it: Content is base64 and is never decoded on the way.
type Attachment struct {
	Content     string `json:"content"`
	Filename    string `json:"filename"`
	Type        string `json:"type,omitempty"`        // a media type
	Disposition string `json:"disposition,omitempty"` // "attachment" (default) or "inline"
	ContentID   string `json:"contentID,omitempty"`   // what an inline image is called by
}

// Queue is where the mail waits.
func (e *Email) Queue() string {
	if e.Priority == PriorityHigh {
		return QueueEmailHigh
	}
	return QueueEmailNormal
}

// Encode returns the contents of the mail's okq event.
func (e *Email) Encode() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode email %s: %w", e.ID, err)
	}
	return b, nil
}

// DecodeEmail reads the contents of okq event eventID. A job without an id (0.4.0's) gets the one derived from the event.
func DecodeEmail(eventID string, contents []byte) (*Email, error) {
	var e Email
	if err := json.Unmarshal(contents, &e); err != nil {
		return nil, fmt.Errorf("decode email: %w", err)
	}
	if !e.ID.Valid() {
		e.ID = DeriveID(eventID)
	}
	return &e, nil
}

// Early returns how long an email must still wait for its sendAt, 0 if it is due. A wait of more than 292 years is the
// longest Duration.
func Early(sendAt int64, now time.Time) time.Duration {
	if sendAt <= now.Unix() {
		return 0
	}
	if sendAt-now.Unix() >= int64(math.MaxInt64/time.Second) {
		return math.MaxInt64
	}
	return time.Unix(sendAt, 0).Sub(now)
}

// Expired tells whether the mail's SendBefore has passed.
func (e *Email) Expired(now time.Time) bool {
	return e.SendBefore != 0 && now.Unix() > e.SendBefore
}

// FlagsAllAllowed is the preference of a recipient who opted out of nothing. Its bit is reserved: no email carries it.
const FlagsAllAllowed int64 = 1

// Allowed tells whether a recipient who opted out of the kinds in optedOut may get an email of the kinds in flags.
func Allowed(optedOut, flags int64) bool { return optedOut&flags == 0 }
