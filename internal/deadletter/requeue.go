package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// Queue is what is done to okq. *okq.Client is one.
type Queue interface {
	Caps(context.Context) (okq.Caps, error)
	Find(ctx context.Context, queue, id string) (okq.Found, bool, error)
	Push(ctx context.Context, e okq.Event, opts ...okq.PushOption) error
	Ack(ctx context.Context, queue, id string) (bool, error)
}

// What became of a letter that was to be requeued or dropped.
var (
	// ErrGone: somebody else has requeued or dropped it.
	ErrGone = errors.New("it is gone already")
	// ErrSent: an event of SendGrid's proves by now that it has the mail. Drop the letter.
	ErrSent = errors.New("SendGrid has this mail, as an event says that came after its death")
	// ErrNoJob: there is nothing in it that could be put back.
	ErrNoJob = errors.New("it holds no job")
	// ErrLedger: the worker would take the job for one that it has buried, and bury it again.
	ErrLedger = errors.New("this okq does not count deliveries, so the store has to be told of the requeue (--mongo-addr or --sqlite)")
)

// An Undertaker requeues and drops letters.
type Undertaker struct {
	Queue Queue
	Stats stats.Store // nil: the workers' store is unknown, or they have none
	Bare  bool        // the workers have no store
}

// Requeue puts a letter's job back into the queue that it came from, to be sent as if it were new.
//
// The ledger is told first, then the job is pushed, then the letter is removed. Dying in between repeats some of it at
// the next try: a job that is queued already is not pushed again, and one that was sent meanwhile the ledger knows.
func (u *Undertaker) Requeue(ctx context.Context, l *Letter) error {
	if l.Reason == ReasonForeign || l.Queue == "" || len(l.Contents()) == 0 {
		return ErrNoJob
	}
	if err := u.stillThere(ctx, l); err != nil {
		return err
	}
	if l.Dead != job.QueueStatsDead {
		if err := u.forgive(ctx, l); err != nil {
			return err
		}
	}
	err := u.Queue.Push(ctx, okq.Event{Queue: l.Queue, ID: l.ID, Contents: l.Contents()})
	if err != nil && !errors.Is(err, okq.ErrDuplicate) {
		return err
	}
	_, err = u.Queue.Ack(ctx, l.Dead, l.Event)
	return err
}

// Drop removes a letter for good.
func (u *Undertaker) Drop(ctx context.Context, l *Letter) error {
	gone, err := u.Queue.Ack(ctx, l.Dead, l.Event)
	if err == nil && !gone {
		return ErrGone
	}
	return err
}

// stillThere asks a server that can tell. Of others, a letter that two operators requeue at once is pushed twice.
func (u *Undertaker) stillThere(ctx context.Context, l *Letter) error {
	_, ok, err := u.Queue.Find(ctx, l.Dead, l.Event)
	switch {
	case errors.Is(err, okq.ErrNoFind):
		return nil
	case err == nil && !ok:
		return ErrGone
	}
	return err
}

// forgive has the ledger count none of the mail's attempts, and wait for another.
func (u *Undertaker) forgive(ctx context.Context, l *Letter) error {
	if u.Stats == nil {
		caps, err := u.Queue.Caps(ctx)
		if err == nil && !caps.Count && !u.Bare {
			return ErrLedger
		}
		return err
	}
	id := job.DeriveID(l.ID)
	records, err := u.Stats.Lookup(ctx, []job.ID{id})
	if err != nil {
		return fmt.Errorf("read the mail's record: %w", err)
	}
	r := records[id]
	switch {
	case r == nil:
		return nil // the ledger knows nothing to hold against it
	case r.Outcome() == stats.Accepted:
		return ErrSent
	}
	err = u.Stats.Settle(ctx, []stats.Settlement{{
		Subject: stats.Subject{ID: id, Recipient: r.Recipient, EmailFlags: r.EmailFlags, UniqueID: r.UniqueID, Env: r.Env, Created: r.Created},
		Number:  r.Attempts, Free: r.Attempts, State: stats.Retrying, Reason: "requeued", At: time.Now(),
	}})
	if err != nil {
		return fmt.Errorf("have the ledger forgive: %w", err)
	}
	return nil
}
