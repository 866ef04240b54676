package api

import (
	"context"
	"strings"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// stat is a record as postmaster 0.4.0's callers know it.
type stat struct {
	Recipient  string `json:"recipient"`
	EmailFlags int64  `json:"emailFlags"`
	StateFlags int64  `json:"stateFlags"`
	UniqueID   string `json:"uniqueID"`
	SentEnv    string `json:"sentEnv"`
	TSCreated  int64  `json:"tsCreated"` // unix seconds
	TSUpdated  int64  `json:"tsUpdated"`
	Error      string `json:"error"`
}

func newStat(r *stats.Record) *stat {
	return &stat{
		Recipient: r.Recipient, EmailFlags: r.EmailFlags, StateFlags: r.StateFlags, UniqueID: r.UniqueID,
		SentEnv: r.Env, TSCreated: unix(r.Created), TSUpdated: unix(r.Updated), Error: r.Error,
	}
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

type getLastEmailParams struct {
	To       string `json:"to"`
	UniqueID string `json:"uniqueID"`
}

type getLastEmailResult struct {
	Stat *stat `json:"stat"`
}

func (s *Server) getLastEmail(ctx context.Context, p getLastEmailParams) (getLastEmailResult, error) {
	var none getLastEmailResult
	if err := job.ValidateAddress("to", p.To); err != nil {
		return none, err
	}
	if p.UniqueID == "" {
		return none, &job.FieldError{Field: "uniqueID", Reason: "is required"}
	}
	if s.deps.Records == nil {
		return none, errNoStore
	}
	r, err := s.deps.Records.Last(ctx, p.To, p.UniqueID)
	if err != nil || r == nil {
		return none, err
	}
	return getLastEmailResult{newStat(r)}, nil
}

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

// getEmail knows a mail from the first attempt to send it on, and says null before. Null is no promise that there is
// no such mail: okq does not tell what waits in it.
func (s *Server) getEmail(ctx context.Context, p getEmailParams) (*getEmailResult, error) {
	id := job.ID(strings.ToLower(p.ID))
	if !id.Valid() {
		return nil, &job.FieldError{Field: "id", Reason: "must be the 24 hex digits that Enqueue returned"}
	}
	if s.deps.Records == nil {
		return nil, errNoStore
	}
	records, err := s.deps.Records.Lookup(ctx, []job.ID{id})
	if err != nil {
		return nil, err
	}
	r := records[id]
	if r == nil {
		return nil, nil
	}
	return &getEmailResult{email{ID: id, State: r.Outcome(), Attempts: r.Attempts, Reason: r.Error, Stat: newStat(r)}}, nil
}
