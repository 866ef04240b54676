package api

import (
	"context"

	"github.com/rs/zerolog"
)

// table holds the methods. docs/api.md and openrpc.json describe the same.
func (s *Server) table() map[string]method {
	return map[string]method{
		"Postmaster.Enqueue":      s.enqueue,
		"Postmaster.UpdatePrefs":  typed(s.updatePrefs),
		"Postmaster.MovePrefs":    typed(s.movePrefs),
		"Postmaster.GetPrefs":     typed(s.getPrefs),
		"Postmaster.GetLastEmail": typed(s.getLastEmail),
		"Postmaster.GetEmail":     typed(s.getEmail),
		"rpc.discover":            discover,
	}
}

// typed makes a method of a function that takes its params decoded.
func typed[P, R any](f func(context.Context, P) (R, error)) method {
	return func(ctx context.Context, c *call, _ *zerolog.Logger) (any, error) {
		raw, err := object(c.params)
		if err != nil {
			return nil, err
		}
		var p P
		if err := decode(raw, &p); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		return f(ctx, p)
	}
}

type success struct {
	Success bool `json:"success"`
}
