package job

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// A Pause is the contents of the event that stops all workers from taking a queue's jobs: as long as there is one in the
// queue that PauseQueue names, the queue is paused. Nobody pops it, so it holds across restarts, for as many workers as
// there are, on any okq server and without a store.
type Pause struct {
	Since  int64  `json:"since"` // unix seconds
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// PauseID is the event ID of a Pause: a queue is paused once or not at all.
const PauseID = "pause"

const pauseSuffix = "-paused"

// PauseQueue returns the queue in which a Pause stops queue.
func PauseQueue(queue string) string { return queue + pauseSuffix }

// PausedBy returns the queue that a Pause in queue stops; false when it is a queue of another kind.
func PausedBy(queue string) (string, bool) { return strings.CutSuffix(queue, pauseSuffix) }

// Encode returns the contents of the event.
func (p *Pause) Encode() ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode pause: %w", err)
	}
	return b, nil
}

// DecodePause reads the contents of the event. What is no Pause pauses all the same, so it is one of which nothing is known.
func DecodePause(contents []byte) Pause {
	var p Pause
	if json.Unmarshal(contents, &p) != nil {
		return Pause{}
	}
	return p
}

// Start is when the pause began.
func (p Pause) Start() time.Time { return time.Unix(p.Since, 0) }
