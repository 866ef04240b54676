package api

import (
	"context"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// storeTimeout is how long a call waits for the store.
const storeTimeout = 5 * time.Second

type updatePrefsParams struct {
	Email string `json:"email"`
	Flags int64  `json:"flags"`
}

func (s *Server) updatePrefs(ctx context.Context, p updatePrefsParams) (success, error) {
	if err := job.ValidateAddress("email", p.Email); err != nil {
		return success{}, err
	}
	if p.Flags == 0 {
		return success{}, &job.FieldError{Field: "flags", Reason: "is required, and is not 0: 1 opts into everything"}
	}
	if s.deps.Prefs == nil {
		return success{}, errNoStore
	}
	return success{true}, s.deps.Prefs.SetFlags(ctx, p.Email, p.Flags, time.Now())
}

type movePrefsParams struct {
	OldEmail string `json:"oldEmail"`
	NewEmail string `json:"newEmail"`
}

func (s *Server) movePrefs(ctx context.Context, p movePrefsParams) (success, error) {
	if err := job.ValidateAddress("oldEmail", p.OldEmail); err != nil {
		return success{}, err
	}
	if err := job.ValidateAddress("newEmail", p.NewEmail); err != nil {
		return success{}, err
	}
	if s.deps.Prefs == nil {
		return success{}, errNoStore
	}
	if job.Key(p.OldEmail) == job.Key(p.NewEmail) {
		return success{true}, nil // the same recipient
	}
	return success{true}, s.deps.Prefs.Move(ctx, p.OldEmail, p.NewEmail, time.Now())
}

type getPrefsParams struct {
	Email string `json:"email"`
}

type getPrefsResult struct {
	Flags int64 `json:"flags"`
}

func (s *Server) getPrefs(ctx context.Context, p getPrefsParams) (getPrefsResult, error) {
	if err := job.ValidateAddress("email", p.Email); err != nil {
		return getPrefsResult{}, err
	}
	if s.deps.Prefs == nil {
		return getPrefsResult{}, errNoStore
	}
	flags, err := s.deps.Prefs.Flags(ctx, []string{p.Email})
	if err != nil {
		return getPrefsResult{}, err
	}
	if f, ok := flags[p.Email]; ok && f != 0 {
		return getPrefsResult{f}, nil
	}
	return getPrefsResult{job.FlagsAllAllowed}, nil
}
