// Package prefs keeps who does not want what: each recipient's opt-out flags, and the bounces and spam reports their
// address has had. It knows nothing of queues or of SendGrid.
//
// A recipient is a mailbox, in whatever spelling its address comes (see job.Key). What older versions stored under
// another spelling counts for that recipient too.
package prefs

import (
	"context"
	"errors"
	"time"
)

// ErrUnavailable wraps every error that a store returns because its server could not be reached or did not answer:
// nothing is known to have been read or written, and the call may be made again.
var ErrUnavailable = errors.New("preference store unavailable")

// A Store is safe for concurrent use. All its writes are idempotent.
type Store interface {
	// Flags returns the opt-out flags of the addresses that have any stored, by the address as given.
	// One that is missing from the result has opted out of nothing: job.FlagsAllAllowed.
	Flags(ctx context.Context, addresses []string) (map[string]int64, error)

	// About returns what is known of a recipient, incidents the oldest first.
	About(ctx context.Context, address string) (About, error)

	// SetFlags replaces an address's flags: the recipient's own word, given at the time at. It ends opt-outs of the kinds
	// that it newly allows, if they have been recorded or are dated clearly before at. All others still count, whenever
	// they are recorded: in doubt the opt-out wins.
	SetFlags(ctx context.Context, address string, flags int64, at time.Time) error

	// Move gives newAddress the opt-outs of oldAddress, beside any of its own. The old address keeps them, as email to it
	// may be queued, and OptOuts that are recorded for it later count for both. A crash in between leaves the old address
	// as it was. At is the time of the call.
	Move(ctx context.Context, oldAddress, newAddress string, at time.Time) error

	// Record adds incidents, in any order and any number of times with the same result. It counts the opt-outs that
	// change nothing because the recipient is known to have opted in after them.
	Record(ctx context.Context, incidents []Incident) (lost int, err error)
}

// An Incident is something that happened to an address and outlives the mail it happened to.
type Incident struct {
	Address string
	Kind    Kind
	At      time.Time // to the second, by SendGrid's clock; zero: when it is recorded
	Flags   int64     // OptOut: what to opt out of

	moved time.Time // of one that happened to an address from which Move led here: when
}

// Kind says what an Incident was.
type Kind int

// The kinds of Incident.
const (
	Bounce     Kind = iota + 1 // a mail came back
	SpamReport                 // the recipient called a mail spam
	OptOut                     // the recipient unsubscribed from Flags
	OptIn                      // the recipient subscribed to Flags again
)

// MaxIncidentTimes is how many times of bounces, and of spam reports, are kept for an address: the latest.
const MaxIncidentTimes = 100
