package api

import (
	"context"
	"time"

	"github.com/levenlabs/postmaster/pkg/idempotency"
	"github.com/levenlabs/postmaster/pkg/job"
)

// enqueueOnce pushes a mail, or, under an idempotencyKey, makes sure that one mail was pushed for all calls with it.
//
//	Claim: the first caller's id stands ──▶ push with that id ──▶ Confirm: later calls need not push
//
// A crash after Claim leaves a key without a mail; the next call with the key finds it unconfirmed and pushes, with the
// same id. So does a call beside the first. okq refuses the second event of an id; and if the mail had been sent in
// between and okq knows it no more, pm-worker's ledger does, and drops it.
func (s *Server) enqueueOnce(ctx context.Context, t ticket, raw []byte) (job.ID, error) {
	if t.key == "" {
		id := job.NewID()
		return id, s.push(ctx, t, id, raw)
	}
	if s.deps.Keys == nil {
		return "", errNoStore
	}
	claim, err := s.claim(ctx, t)
	if err != nil {
		return "", err
	}
	if !t.print.matches(claim.Fingerprint) {
		return "", errKeyReused
	}
	if claim.Confirmed {
		return claim.ID, nil
	}
	if err := s.push(ctx, t, claim.ID, raw); err != nil {
		return "", err
	}
	s.confirm(ctx, t.key, claim.ID)
	return claim.ID, nil
}

func (s *Server) claim(ctx context.Context, t ticket) (idempotency.Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.deps.Keys.Claim(ctx, t.key, idempotency.Claim{ID: job.NewID(), Fingerprint: t.print, Made: time.Now()})
}

// confirm is not needed for the promise, so its failure is none of the caller's.
func (s *Server) confirm(ctx context.Context, key string, id job.ID) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := s.deps.Keys.Confirm(ctx, key, id); err != nil {
		s.log.Warn().Err(err).Str("job_id", string(id)).Msg("idempotency key not confirmed")
	}
}
