// Package heartbeat keeps what each worker says of itself every few seconds, for those who look at all of them: the
// console. Nothing else depends on it; a heartbeat that is lost is only a worker that is seen later.
package heartbeat

import (
	"context"
	"time"
)

const (
	// Every is how often a worker beats.
	Every = 5 * time.Second
	// Fresh is how old the latest beat of a worker that lives may be.
	Fresh = 4 * Every
	// kept is how long beats of workers that ended are kept.
	kept = 24 * time.Hour
)

// What a worker does with mails.
const (
	Sending     = "sending"
	RateLimited = "rate limited" // SendGrid answered 429
	Refused     = "refused"      // SendGrid refuses the account; one mail at a time goes as a probe
	Away        = "away"         // SendGrid gives no answer; likewise
	StoreAway   = "store away"   // it waits for the database; only the last beat before that can say so
)

// A Beat is what one worker says of itself.
type Beat struct {
	Worker  string    `bson:"_id" json:"worker"` // host and process
	Started time.Time `bson:"b" json:"started"`
	At      time.Time `bson:"t" json:"at"`
	Queues  []string  `bson:"q" json:"queues"`
	InHand  int       `bson:"n" json:"inHand"` // mails
	State   string    `bson:"s" json:"state"`
	Until   time.Time `bson:"u,omitempty" json:"until,omitzero"` // the pause of a State that has one
	Ended   bool      `bson:"e,omitempty" json:"ended,omitempty"`
}

// A Store is safe for concurrent use.
type Store interface {
	// Beat keeps b in the place of the worker's beat before.
	Beat(ctx context.Context, b Beat) error

	// Since returns the latest beats of the workers that have beaten since t, by the workers' names, not of those that ended.
	Since(ctx context.Context, t time.Time) ([]Beat, error)
}
