// Package prefs keeps who does not want what: each recipient's opt-out flags, and the bounces and spam reports their
// address has had. It knows nothing of queues or of SendGrid.
//
// A recipient is an address with its letter case folded: A@Example.com and a@example.com are one (see Key). Documents
// that postmaster 0.4.0 stored under a mixed-case address count for that recipient too.
package prefs

import (
	"context"
	"errors"
	"strings"
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

	// About returns what is known of a recipient, incidents the oldest first. Bounces and spam reports that 0.4.0 stored
	// under a mixed-case address are not among it.
	About(ctx context.Context, address string) (About, error)

	// SetFlags replaces an address's flags: the recipient's own word, which stands until an opt-out made later than at.
	SetFlags(ctx context.Context, address string, flags int64, at time.Time) error

	// Move gives newAddress the flags of oldAddress, beside any opt-outs of its own, and then removes them from the old.
	// Nothing stored for the old one changes nothing. A crash in between leaves both, never neither.
	Move(ctx context.Context, oldAddress, newAddress string) error

	// Record adds incidents, in any order and any number of times with the same result. It counts the opt-outs that
	// change nothing because the recipient is known to have opted in after them.
	Record(ctx context.Context, incidents []Incident) (lost int, err error)
}

// An Incident is something that happened to an address and outlives the mail it happened to.
type Incident struct {
	Address string
	Kind    Kind
	At      time.Time // to the second, by SendGrid's clock
	Flags   int64     // OptOut: what to opt out of
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

// Key is the name that an address's preferences are kept under.
func Key(address string) string { return strings.ToLower(address) }
