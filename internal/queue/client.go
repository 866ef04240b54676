package queue

import (
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/pkg/okq"
)

// Client makes the client that the flags ask for. It connects when it is first used.
func (c *Config) Client(log zerolog.Logger) (*okq.Client, error) {
	return okq.New(okq.Options{
		Addrs: c.List(), Password: c.Password, PoolSize: c.PoolSize, Log: log.With().Str("component", "okq").Logger(),
	})
}
