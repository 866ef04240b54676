package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

type getEmailParams struct {
	ID string `json:"id"`
}

type getEmailResult struct {
	Email email `json:"email"`
}

// email is where one mail stands.
type email struct {
	ID       job.ID      `json:"id"`
	State    stats.State `json:"state"`
	Attempts int         `json:"attempts"`
	Reason   string      `json:"reason"`
	Stat     *stat       `json:"stat"`
}

// The states of a mail that no worker has recorded yet.
const (
	stateQueued    stats.State = "queued"
	stateScheduled stats.State = "scheduled" // its sendAt is ahead
)

// getEmail asks the records first, the queues after, and the records again: a mail may go from its queue into the
// records in between.
func (s *Server) getEmail(ctx context.Context, p getEmailParams) (*getEmailResult, error) {
	id := job.ID(strings.ToLower(p.ID))
	if !id.Valid() {
		return nil, &job.FieldError{Field: "id", Reason: "must be the 24 hex digits that Enqueue returned"}
	}
	if s.deps.Records == nil {
		return nil, errNoStore
	}
	for _, look := range []func(context.Context, job.ID) (*getEmailResult, error){s.recorded, s.waiting, s.recorded} {
		if found, err := look(ctx, id); found != nil || err != nil {
			return found, err
		}
	}
	return nil, nil
}

// recorded finds a mail that a worker has had in its hands.
func (s *Server) recorded(ctx context.Context, id job.ID) (*getEmailResult, error) {
	records, err := s.deps.Records.Lookup(ctx, []job.ID{id})
	if err != nil {
		return nil, err
	}
	r := records[id]
	if r == nil {
		return nil, nil
	}
	return &getEmailResult{email{ID: id, State: r.Outcome(), Attempts: r.Attempts, Reason: reason(r), Stat: newStat(r)}}, nil
}

// reason says why an email is in its state: once SendGrid has accepted it, by the latest bounce or drop; before, by what
// the worker wrote down last.
func reason(r *stats.Record) string {
	if r.State == stats.Accepted {
		return r.Error
	}
	return cmp.Or(r.Reason, r.Error)
}

// waiting finds a mail that no worker has recorded yet. The original okq does not tell what waits in it.
func (s *Server) waiting(ctx context.Context, id job.ID) (*getEmailResult, error) {
	// What waits may be as large as an email can be, and how large it is shows only once it has been read.
	if err := s.finds.Acquire(ctx, 1); err != nil {
		return nil, errBusy
	}
	defer s.finds.Release(1)
	for _, queue := range []string{job.QueueEmailHigh, job.QueueEmailNormal} {
		found, ok, err := s.deps.Queue.Find(ctx, queue, string(id))
		if errors.Is(err, okq.ErrNoFind) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if ok {
			return waitingEmail(id, found.Contents)
		}
	}
	return nil, nil
}

func waitingEmail(id job.ID, contents []byte) (*getEmailResult, error) {
	var e struct { // of job.Email what is shown: the rest is not copied
		To       string `json:"to"`
		Flags    int64  `json:"flags"`
		UniqueID string `json:"uniqueID"`
		SendAt   int64  `json:"sendAt"`
	}
	if err := json.Unmarshal(contents, &e); err != nil {
		return nil, fmt.Errorf("decode email: %w", err)
	}
	state := stateQueued
	if e.SendAt > time.Now().Unix() {
		state = stateScheduled
	}
	queued := unix(id.Time())
	return &getEmailResult{email{ID: id, State: state, Stat: &stat{
		Recipient: e.To, EmailFlags: e.Flags, UniqueID: e.UniqueID, TSCreated: queued, TSUpdated: queued,
	}}}, nil
}
