package store

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/heartbeat"
	"github.com/levenlabs/postmaster/pkg/idempotency"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// Stores is an open database. Its stores are nil when there is none.
type Stores struct {
	Prefs prefs.Store
	Stats stats.Store
	Keys  idempotency.Store
	Beats heartbeat.Store

	ping  func(context.Context) error
	close []func() error // in the order to call them
}

// Open connects to the database of cfg, which has been validated, and makes it ready: schema, indexes. It gives up
// after a few seconds, or when ctx ends, with an error that names the flag.
func Open(ctx context.Context, cfg Config, log zerolog.Logger) (*Stores, error) {
	switch {
	case cfg.MongoAddr != "":
		return openMongo(ctx, cfg.MongoAddr, log)
	case cfg.SQLite != "":
		return openSQLite(ctx, cfg.SQLite)
	}
	return &Stores{}, nil
}

// None tells that no database was configured.
func (s *Stores) None() bool { return s == nil || s.Prefs == nil }

// Ping tells whether the database answers.
func (s *Stores) Ping(ctx context.Context) error {
	if s.None() {
		return nil
	}
	return s.ping(ctx)
}

// Close disconnects. No call may be under way.
func (s *Stores) Close() error {
	if s.None() {
		return nil
	}
	var errs []error
	for _, f := range s.close {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
