package api

import (
	"context"
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
