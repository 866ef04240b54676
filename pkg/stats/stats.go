// Package stats keeps what became of each mail: the send ledger, which pm-worker writes before and after it calls
// SendGrid, and what SendGrid's webhook events said since. One mail, one Record.
//
// SendGrid cannot be asked whether it has a mail. The ledger is how a worker that takes a job again finds out what
// the last one did: Begin is written before the POST, Settle after it, and an event of any kind is proof that
// SendGrid has the mail.
//
//	Begin(1) ──▶ attempting ──Settle──▶ accepted | rejected | retrying ──Begin(2)──▶ attempting …
//	                 │                  unknown
//	                 └── Fold (any event) ──▶ counts as accepted
package stats

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// ErrUnavailable wraps every error that a store returns because its server could not be reached or did not answer:
// nothing is known to have been read or written, and the call may be made again.
var ErrUnavailable = errors.New("stats store unavailable")

// State is where a mail stands.
type State string

// The states of a mail. Retrying and Unknown are open: the job is still in its queue.
const (
	Attempting State = "attempting" // a POST to SendGrid is about to be, or was, made
	Accepted   State = "accepted"   // SendGrid answered 202, or an event came
	Retrying   State = "retrying"   // the last attempt is known not to have been taken; another follows
	Unknown    State = "unknown"    // the last attempt may have been taken
	Rejected   State = "rejected"   // SendGrid refused the mail itself
	OptedOut   State = "optedOut"   // not sent: the recipient opted out
	Expired    State = "expired"    // not sent: its sendBefore passed
	Dead       State = "dead"       // given up on: in the dead letters
)

// final tells whether the mail is done with, other than by being accepted. Only a requeue, which settles it as Retrying,
// makes another attempt possible.
func (s State) final() bool { return slices.Contains(finals, s) }

var finals = []State{Rejected, OptedOut, Expired, Dead}

// What a requeue settles a mail as Retrying for. The reasons of later settlements go on after RequeuedUnknown, so that
// it stays known that SendGrid may have the mail.
const (
	Requeued        = "requeued"
	RequeuedUnknown = "requeued after an unknown outcome"
)

// The bits of Record.StateFlags, as postmaster 0.4.0 had them.
const (
	FlagDelivered    int64 = 2
	FlagSpamReported int64 = 4
	FlagBounced      int64 = 8
	FlagDropped      int64 = 16
	FlagOpened       int64 = 32
)

// A Record is all that is known of one mail.
type Record struct {
	ID         job.ID
	Recipient  string
	EmailFlags int64
	StateFlags int64
	UniqueID   string
	Env        string
	Created    time.Time
	Updated    time.Time
	Error      string // the reason of the latest bounce or drop, or else of a rejection

	State     State                // records of 0.4.0, which has no ledger, are Accepted
	Attempts  int                  // the number of the latest
	Free      int                  // how many of them do not count: SendGrid refused the account then, not the mail
	Failed    int                  // how many of the others surely were not sent: they spend no limit of attempts either
	Failing   time.Duration        // since the first of those, without time in which sending was stopped
	Attempted time.Time            // when the latest attempt began
	Token     string               // of the latest attempt
	MessageID string               // SendGrid's X-Message-Id
	Reason    string               // what the latest settlement said
	Evidence  map[string]time.Time // when each type of event first happened; see CopyPrefix for those of cc and bcc

	Fold string // job.Email.Fold of the first attempt; empty for emails of versions before it
}

// CopyPrefix begins the names of evidence that is of a cc or bcc recipient. Opens of machines are "machine_open".
const CopyPrefix = "copy_"

// Spent is how many attempts are shown to people. All but those in Failed count against the limit of attempts.
func (r *Record) Spent() int { return r.Attempts - r.Free }

// Outcome is the state that the ledger and the events together prove: SendGrid sends events only of mails it has.
func (r *Record) Outcome() State {
	if len(r.Evidence) > 0 || r.StateFlags != 0 {
		return Accepted
	}
	return r.State
}

// A Subject is what a record says of its mail from the first write on.
type Subject struct {
	ID         job.ID
	Recipient  string
	EmailFlags int64
	UniqueID   string
	Env        string
	Created    time.Time
	Fold       string // job.Email.Fold
}

// An Attempt is the intention to POST a mail.
type Attempt struct {
	Subject
	Number int       // from 1; the ledger must stand at Number-1
	Token  string    // unique to this attempt of this process, so that Begin can be repeated after an error
	At     time.Time // now
}

// A Settlement is what became of an attempt, or of a mail that none was made for (Number 0).
type Settlement struct {
	Subject
	Number    int
	Free      int           // the record's new Free, so that settling twice is settling once
	Failed    int           // the same of the record's Failed and Failing; Accepted leaves them as they are
	Failing   time.Duration // in whole milliseconds
	State     State
	MessageID string
	Reason    string
	At        time.Time
}

// FoldResult counts what Fold did.
type FoldResult struct {
	Folded  int // events that belong to a record, whether or not they changed it
	Unknown int // events whose mail has no record
}

// A Store is safe for concurrent use.
type Store interface {
	// Lookup returns the records that exist.
	Lookup(ctx context.Context, ids []job.ID) (map[job.ID]*Record, error)

	// Begin writes attempts into the ledger, each only if its mail stands at the attempt before (no record, for the
	// first), has not been accepted and is not rejected, dropped or dead, and tells which were written. Of two workers
	// that hold the same job, one wins. Begin may be called again with the same attempts after an error.
	Begin(ctx context.Context, attempts []Attempt) (won []bool, err error)

	// Settle writes outcomes. Accepted always stands; anything else only if its attempt is the mail's latest and the
	// mail is not Accepted. Idempotent.
	Settle(ctx context.Context, settlements []Settlement) error

	// Fold adds webhook events to their mails' records. State flags and Error are of events about the email's to only;
	// what happens to a cc or bcc is evidence. Any order, any repetition and any split of the same events
	// give the same records. Events of mails without a record change nothing.
	Fold(ctx context.Context, events []job.Event) (FoldResult, error)

	// Last returns the latest mail to recipient with uniqueID that SendGrid accepted, or nil.
	Last(ctx context.Context, recipient, uniqueID string) (*Record, error)

	// Find returns the records that q asks for.
	Find(ctx context.Context, q Query) ([]*Record, error)

	// CountUnknown counts the mails whose outcome is unknown, as far as atMost.
	CountUnknown(ctx context.Context, atMost int) (int, error)

	// Gaps calls each for every mail that SendGrid accepted before the time given and of which no event ever came,
	// oldest acceptance first, and ends with each's first error. Mails of 0.4.0, which did not keep all events, are
	// left out.
	Gaps(ctx context.Context, before time.Time, each func(*Record) error) error

	// Tally counts the mails that SendGrid has and whose IDs were made in the time from..to, to not included, in whole
	// seconds. It reads all of them, in the order of their IDs: a million take seconds.
	Tally(ctx context.Context, from, to time.Time) ([]Tally, error)
}
