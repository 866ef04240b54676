package queue

import (
	"crypto/tls"

	"github.com/levenlabs/postmaster/internal/cmdutil"
)

// tlsConfig is nil for plain TCP.
func (c *Config) tlsConfig() (*tls.Config, error) {
	if !c.TLS && c.TLSCA == "" {
		return nil, nil
	}
	return cmdutil.ClientTLS("--okq-tls", c.TLSCA, "", "")
}
