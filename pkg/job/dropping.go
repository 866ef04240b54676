package job

import (
	"encoding/json"
	"fmt"
	"time"
)

// DroppingID is the ID of an event in QueueHooks whose contents are a Dropping.
const DroppingID = "dropping"

// A Dropping is how a pm-hooks lets the console know that webhook events arrive and it drops each, because none is of an
// environment that it accepts. It is written again each minute while that lasts.
type Dropping struct {
	At           int64    `json:"at"`           // unix seconds
	Environments []string `json:"environments"` // some of those that the events are of
	Accepted     []string `json:"accepted"`
}

// droppingFresh is how long a Dropping counts after it was written.
const droppingFresh = 3 * time.Minute

// Fresh reports whether it was written lately.
func (d *Dropping) Fresh(now time.Time) bool { return now.Sub(time.Unix(d.At, 0)) < droppingFresh }

// Encode returns the contents of the event.
func (d *Dropping) Encode() ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode dropping: %w", err)
	}
	return b, nil
}

// DecodeDropping reads the contents of the event.
func DecodeDropping(contents []byte) (*Dropping, error) {
	var d Dropping
	if err := json.Unmarshal(contents, &d); err != nil {
		return nil, fmt.Errorf("decode dropping: %w", err)
	}
	return &d, nil
}
