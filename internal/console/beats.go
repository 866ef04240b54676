package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/pkg/heartbeat"
)

// A beatView is a worker as the page shows it.
type beatView struct {
	Worker, Queues string
	InHand         int
	State          badge
	Seen, Up       time.Duration
}

func newBeatView(b heartbeat.Beat, now time.Time) beatView {
	return beatView{
		Worker: b.Worker, Queues: strings.Join(b.Queues, ", "), InHand: b.InHand, State: stateOf(b, now),
		Seen: max(now.Sub(b.At), time.Millisecond), Up: now.Sub(b.Started),
	}
}

// stateOf says in words what a worker does, and until when.
func stateOf(b heartbeat.Beat, now time.Time) badge {
	until := ""
	if wait := b.Until.Sub(now); wait > 0 {
		until = fmt.Sprintf(" in %s", ago(wait))
	}
	switch b.State {
	case heartbeat.Sending:
		return badge{"sending", "good"}
	case heartbeat.RateLimited:
		return badge{"rate limited by SendGrid, goes on" + until, "warn"}
	case heartbeat.Refused:
		return badge{"SendGrid refuses the account, next probe" + until, "bad"}
	case heartbeat.Away:
		return badge{"SendGrid gives no answer, next probe" + until, "bad"}
	case heartbeat.StoreAway:
		return badge{"waits for the store", "bad"}
	}
	return badge{b.State, ""}
}
