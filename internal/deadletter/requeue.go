package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// Queue is what is done to okq. *okq.Client is one.
type Queue interface {
	Find(ctx context.Context, queue, id string) (okq.Found, bool, error)
	Push(ctx context.Context, e okq.Event, opts ...okq.PushOption) error
	Ack(ctx context.Context, queue, id string) (bool, error)
	Move(ctx context.Context, from, to okq.Event, delay time.Duration) (bool, error)
	Remove(ctx context.Context, queue, id string) (bool, error)
}

// Why a letter was not requeued or dropped.
var (
	// ErrGone: another operator has requeued or dropped it.
	ErrGone = errors.New("it is gone already")
	// ErrSent: an event of SendGrid's proves by now that it has the mail. Drop the letter.
	ErrSent = errors.New("SendGrid has this mail, as an event says that came after its death")
	// ErrNoJob: there is nothing in it that could be put back.
	ErrNoJob = errors.New("it holds no job")
	// ErrQueued: its job is in its queue. It was requeued before, or pushed again, or a worker is not done with its death.
	ErrQueued = errors.New("its job is queued already; requeue the letter once that is done, or drop it")
	// ErrLedger: the worker would take the job for a second push of a dead email, and make it a dead letter again.
	ErrLedger = errors.New("the workers' store has to be told of the requeue (--mongo-addr or --sqlite; --no-store if they have none)")
)

// An Undertaker requeues and drops letters.
type Undertaker struct {
	Queue Queue
	Stats stats.Store // nil: the workers' store is unknown, or they have none
	Bare  bool        // the workers have no store
}

// Requeue puts a letter's job back into the queue that it came from, to be sent as if it were new.
//
// The ledger is told first, then the letter becomes the job, in one step: at any moment there is a letter or a job, and of
// operators who act on one letter at once, one does and the others get ErrGone. Dying in between leaves the letter, and
// the requeue can be repeated.
func (u *Undertaker) Requeue(ctx context.Context, l *Letter) error {
	if l.Reason == ReasonForeign || l.Queue == "" || len(l.Contents()) == 0 {
		return ErrNoJob
	}
	id, contents := l.Requeued()
	to := okq.Event{Queue: l.Queue, ID: id, Contents: contents}
	if err := u.stillThere(ctx, l, to); err != nil {
		return err
	}
	restore := func(context.Context) error { return nil }
	if l.Dead != job.QueueStatsDead {
		var err error
		if restore, err = u.forgive(ctx, l); err != nil {
			return err
		}
	}
	moved, err := u.Queue.Move(ctx, okq.Event{Queue: l.Dead, ID: l.Event}, to, 0)
	switch {
	case errors.Is(err, okq.ErrNoMove):
		err = u.requeueInSteps(ctx, l, to)
	case errors.Is(err, okq.ErrDuplicate):
		err = ErrQueued
	case err == nil && !moved:
		err = ErrGone
	}
	if errors.Is(err, ErrGone) {
		return errors.Join(err, u.unlessQueued(ctx, to, restore))
	}
	return err
}

// unlessQueued has the ledger forget a requeue that somebody prevented by dropping the letter. Had it been requeued by
// another, the job would be queued, or the ledger beyond what restore changes.
func (u *Undertaker) unlessQueued(ctx context.Context, e okq.Event, restore func(context.Context) error) error {
	if _, queued, err := u.Queue.Find(ctx, e.Queue, e.ID); queued || err != nil {
		return nil
	}
	return restore(ctx)
}

// requeueInSteps is for a server that moves nothing: the job is pushed, then the letter removed. Dying in between leaves
// both. If the letter was dropped meanwhile, the job is taken back, unless a worker was faster.
func (u *Undertaker) requeueInSteps(ctx context.Context, l *Letter, e okq.Event) error {
	err := u.Queue.Push(ctx, e)
	if errors.Is(err, okq.ErrDuplicate) {
		return ErrQueued
	}
	if err != nil {
		return err
	}
	removed, err := u.Queue.Ack(ctx, l.Dead, l.Event)
	if err != nil || removed {
		return err
	}
	if taken, err := u.Queue.Ack(ctx, e.Queue, e.ID); err != nil || !taken {
		return err
	}
	return ErrGone
}

// Drop removes a letter for good.
func (u *Undertaker) Drop(ctx context.Context, l *Letter) error {
	gone, err := u.Queue.Remove(ctx, l.Dead, l.Event)
	if errors.Is(err, okq.ErrNoRemove) {
		gone, err = u.Queue.Ack(ctx, l.Dead, l.Event)
	}
	if err == nil && !gone {
		return ErrGone
	}
	return err
}

// stillThere asks a server that can tell whether the letter is there and its job is not, before the ledger is told.
func (u *Undertaker) stillThere(ctx context.Context, l *Letter, e okq.Event) error {
	_, there, err := u.Queue.Find(ctx, l.Dead, l.Event)
	switch {
	case errors.Is(err, okq.ErrNoFind):
		return nil
	case err != nil:
		return err
	case !there:
		return ErrGone
	}
	_, queued, err := u.Queue.Find(ctx, e.Queue, e.ID)
	if err == nil && queued {
		return ErrQueued
	}
	return err
}

// forgive has the ledger count none of the email's attempts, and wait for another: only the ledger tells a requeue from a
// second push of the email. restore takes that back as long as nobody has begun an attempt.
func (u *Undertaker) forgive(ctx context.Context, l *Letter) (restore func(context.Context) error, err error) {
	restore = func(context.Context) error { return nil }
	if u.Stats == nil {
		if !u.Bare {
			return nil, ErrLedger
		}
		return restore, nil
	}
	id := job.DeriveID(l.ID)
	records, err := u.Stats.Lookup(ctx, []job.ID{id})
	if err != nil {
		return nil, fmt.Errorf("read the mail's record: %w", err)
	}
	r := records[id]
	switch {
	case r == nil:
		return restore, nil // the ledger knows nothing to hold against it
	case r.Outcome() == stats.Accepted:
		return nil, ErrSent
	}
	settle := func(ctx context.Context, s stats.Settlement) error {
		s.Subject = stats.Subject{ID: id, Recipient: r.Recipient, EmailFlags: r.EmailFlags, UniqueID: r.UniqueID, Env: r.Env, Created: r.Created}
		s.Number, s.At = r.Attempts, time.Now()
		return u.Stats.Settle(ctx, []stats.Settlement{s})
	}
	reason := stats.Requeued
	if strings.HasPrefix(r.Reason, job.ReasonUnknown) || strings.HasPrefix(r.Reason, stats.RequeuedUnknown) || r.State == stats.Unknown {
		reason = stats.RequeuedUnknown
	}
	if err := settle(ctx, stats.Settlement{Free: r.Attempts, State: stats.Retrying, Reason: reason}); err != nil {
		return nil, fmt.Errorf("have the ledger forgive: %w", err)
	}
	return func(ctx context.Context) error {
		if r.State == stats.Retrying {
			return nil // by the other who acts on the letter, perhaps
		}
		return settle(ctx, stats.Settlement{Free: r.Free, Failed: r.Failed, Failing: r.Failing, State: r.State, Reason: r.Reason})
	}, nil
}
