package api

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/browserguard"
	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/listen"
	"github.com/levenlabs/postmaster/pkg/job"
)

// Config is how pm-api is reached, and how much it takes.
type Config struct {
	ListenAddr  string
	Tokens      []string
	AllowHosts  browserguard.Hosts
	MaxBody     Size
	MaxHeld     Size
	MaxConns    int
	TLSCert     string
	TLSKey      string
	AccessLog   bool
	Environment string
}

// AddFlags defines the flags of pm-api's own.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	c.MaxBody, c.MaxHeld = 32<<20, 256<<20
	fs.StringVar(&c.ListenAddr, "listen-addr", "127.0.0.1:8992", "address of the JSON-RPC server")
	cmdutil.SecretListVar(fs, &c.Tokens, "api-token", "demand 'Authorization: Bearer' with this token, or another of them (repeatable, or with commas between)")
	c.AllowHosts.AddFlag(fs)
	fs.Var(&c.MaxBody, "max-body", "largest request, in bytes or as 32MiB")
	fs.Var(&c.MaxHeld, "max-held-bytes", "what all large requests may have together; those beyond wait, and after 20s are told to try again")
	fs.IntVar(&c.MaxConns, "max-conns", 4096, "connections at once; more have to wait")
	fs.StringVar(&c.TLSCert, "tls-cert", "", "file of the certificate to serve TLS with")
	fs.StringVar(&c.TLSKey, "tls-key", "", "file of its key")
	fs.BoolVar(&c.AccessLog, "access-log", false, "log every request")
	fs.StringVar(&c.Environment, "environment", job.DefaultEnv, "name of the environment, for the log: the one that mails carry is pm-worker's")
}

// Listeners says that callers must show a token.
func (c *Config) Listeners() []listen.Listener {
	return []listen.Listener{{Flag: "--listen-addr", Addr: c.ListenAddr, Protected: len(c.Tokens) > 0, Needs: "--api-token"}}
}

// Validate names the flags that are wrong.
func (c *Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.ListenAddr); err != nil {
		errs = append(errs, fmt.Errorf("--listen-addr: %w", err))
	}
	if slices.Contains(c.Tokens, "") {
		errs = append(errs, errors.New("--api-token must not be empty"))
	}
	if c.MaxBody < 1<<10 {
		errs = append(errs, errors.New("--max-body must be at least 1KiB"))
	}
	if c.MaxHeld < c.MaxBody {
		errs = append(errs, errors.New("--max-held-bytes must be at least --max-body"))
	}
	if c.MaxConns < 1 {
		errs = append(errs, errors.New("--max-conns must be at least 1"))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("--tls-cert and --tls-key go together"))
	}
	for flag, path := range map[string]string{"--tls-cert": c.TLSCert, "--tls-key": c.TLSKey} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", flag, err))
		}
	}
	return errors.Join(errs...)
}
