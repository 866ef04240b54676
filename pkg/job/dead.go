package job

import (
	"encoding/json"
	"fmt"
	"time"
)

// Why a job died: DeadLetter.Reason.
const (
	ReasonRejected    = "rejected"             // SendGrid refused the mail itself: 400, 404, 413, 415, a 403 about the sender
	ReasonUndecodable = "undecodable"          // not a job
	ReasonInvalid     = "invalid"              // a job that no limit of Validate allows
	ReasonAttempts    = "attempts exhausted"   // written by versions before --give-up-after: --max-attempts sends failed
	ReasonGivenUp     = "given up"             // sends failed for --give-up-after, each known not to have happened
	ReasonDeliveries  = "deliveries exhausted" // taken --max-deliveries times without reaching a send: it may kill the process
	ReasonUnknown     = "unknown outcome"      // may have been sent; the policy is to hold
)

// A DeadLetter is the contents of an event in a dead queue: the whole job as it arrived, and why it died.
type DeadLetter struct {
	ID           string          `json:"id"`    // the okq event's
	Queue        string          `json:"queue"` // where the job came from, and a requeue puts it back
	Reason       string          `json:"reason"`
	Detail       string          `json:"detail,omitempty"`
	Errors       []ProviderError `json:"errors,omitempty"` // what SendGrid answered
	Deaths       int             `json:"deaths,omitempty"` // which death of the job this is; letters without are of the first
	Attempts     int             `json:"attempts"`
	Deliveries   int             `json:"deliveries,omitempty"`
	FirstAttempt int64           `json:"firstAttempt,omitempty"` // unix seconds
	Died         int64           `json:"died"`                   // unix seconds
	Job          json.RawMessage `json:"job,omitempty"`          // the job, when it is JSON
	Bytes        []byte          `json:"bytes,omitempty"`        // the job, when it is not
}

// A ProviderError is one element of SendGrid's error answer.
type ProviderError struct {
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
	Status  int    `json:"status,omitempty"` // HTTP status of the answer
}

// SetContents puts the job's bytes where they fit.
func (d *DeadLetter) SetContents(contents []byte) {
	if json.Valid(contents) {
		d.Job, d.Bytes = contents, nil
		return
	}
	d.Job, d.Bytes = nil, contents
}

// Contents returns the job's bytes as they arrived (JSON may have lost insignificant white space).
func (d *DeadLetter) Contents() []byte {
	if d.Job != nil {
		return d.Job
	}
	return d.Bytes
}

// Encode returns the contents of the dead letter's okq event.
func (d *DeadLetter) Encode() ([]byte, error) {
	if d.Died == 0 {
		d.Died = time.Now().Unix()
	}
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode dead letter %s: %w", d.ID, err)
	}
	return b, nil
}

// DecodeDeadLetter reads the contents of an event in a dead queue.
func DecodeDeadLetter(contents []byte) (*DeadLetter, error) {
	var d DeadLetter
	if err := json.Unmarshal(contents, &d); err != nil {
		return nil, fmt.Errorf("decode dead letter: %w", err)
	}
	return &d, nil
}
