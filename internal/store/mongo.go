package store

import (
	"context"
	"errors"

	"github.com/rs/zerolog"
)

func openMongo(context.Context, string, zerolog.Logger) (*Stores, error) {
	return nil, errors.New("--mongo-addr: this build has SQLite only")
}

func validateMongoAddr(addr string) error { return validateAddrs(addr) }
