// Package queue is how a process finds its okq: the flags that all of them share, and the client they make.
package queue

import (
	"errors"
	"fmt"
	"net"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// Config is where okq is.
type Config struct {
	Addrs    string // comma-separated
	PoolSize int
	Password string
	TLS      bool
	TLSCA    string // file; implies TLS
}

// AddFlags defines the --okq-… flags.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Addrs, "okq-addr", "127.0.0.1:4777", "okq servers, host:port[,host:port…]; the next is tried when one is away")
	fs.IntVar(&c.PoolSize, "okq-pool-size", 8, "connections to okq, at most")
	fs.StringVar(&c.Password, "okq-password", "", "okq's password; better in the environment")
	fs.BoolVar(&c.TLS, "okq-tls", false, "speak TLS to okq, and trust the certificate authorities that this machine trusts")
	fs.StringVar(&c.TLSCA, "okq-tls-ca", "", "certificates (PEM) to trust in their place; implies --okq-tls")
}

// Validate names the flags that are wrong.
func (c *Config) Validate() error {
	var errs []error
	for _, addr := range c.List() {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			errs = append(errs, fmt.Errorf("--okq-addr: %w", err))
		}
	}
	if c.PoolSize < 1 {
		errs = append(errs, errors.New("--okq-pool-size must be at least 1"))
	}
	if _, err := c.tlsConfig(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// List returns the addresses one by one.
func (c *Config) List() []string {
	return cmdutil.SplitList(c.Addrs)
}

// Client makes the client that the flags ask for. It dials on first use: an okq that is away now may come.
func (c *Config) Client(log zerolog.Logger) (*okq.Client, error) {
	tlsConfig, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	client, err := okq.New(okq.Options{
		Addrs: c.List(), Password: c.Password, TLS: tlsConfig, PoolSize: c.PoolSize,
		Log: log.With().Str("component", "okq").Logger(),
	})
	if err != nil {
		return nil, fmt.Errorf("--okq-addr: %w", err)
	}
	return client, nil
}
