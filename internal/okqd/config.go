package okqd

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/connlimit"
	"github.com/levenlabs/postmaster/internal/listen"
	"github.com/levenlabs/postmaster/internal/okqd/local"
	"github.com/levenlabs/postmaster/internal/okqd/redis"
	"github.com/levenlabs/postmaster/internal/okqd/resp"
)

// Config is okqd's flags.
type Config struct {
	ListenAddr string
	Passwords  []string // any of them lets a client in
	TLSCert    string
	TLSKey     string

	MaxBulk      int
	MaxArgs      int
	MaxConns     int
	MaxInflight  int64
	ReadTimeout  time.Duration
	WriteTimeout time.Duration

	Local local.Config
	Redis redis.Config // enabled: in the place of Local
}

// AddFlags defines the flags.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.ListenAddr, "listen-addr", "127.0.0.1:4777", "address to serve the okq protocol on")
	cmdutil.SecretLinesVar(fs, &c.Passwords, "password", "password that clients must give; repeat it, or put one on each line, to accept any of several while it changes; better in the environment")
	fs.StringVar(&c.TLSCert, "tls-cert", "", "certificate file (PEM); serves TLS, together with --tls-key")
	fs.StringVar(&c.TLSKey, "tls-key", "", "key file (PEM) of --tls-cert")
	fs.IntVar(&c.MaxBulk, "max-bulk", 64<<20, "bytes in one argument, so in one event, at most")
	fs.IntVar(&c.MaxArgs, "max-args", 16<<10, "arguments in one command, at most")
	fs.IntVar(&c.MaxConns, "max-conns", 10000, "connections, at most")
	fs.Int64Var(&c.MaxInflight, "max-inflight", 512<<20, "bytes of memory, at most, for large commands that are being received")
	fs.DurationVar(&c.ReadTimeout, "read-timeout", time.Minute, "time a command may take to arrive once it has begun")
	fs.DurationVar(&c.WriteTimeout, "write-timeout", 30*time.Second, "time a client may take to accept a reply")
	c.Local.AddFlags(fs)
	c.Redis.AddFlags(fs)
}

// Listeners says that clients must give the password.
func (c *Config) Listeners() []listen.Listener {
	return []listen.Listener{{Flag: "--listen-addr", Addr: c.ListenAddr, Protected: len(c.Passwords) > 0, Needs: "--password"}}
}

// policy has a quarter more connections than MaxConns, for clients that have not shown who they are.
func (c *Config) policy() connlimit.Policy {
	share := max(c.MaxConns/4, 16)
	p := connlimit.Policy{Max: c.MaxConns + share, Unauthenticated: share}
	if len(c.Passwords) > 0 {
		p.AuthTime = authTime
	}
	return p
}

// authTime is how long a client may take from connecting to its password.
const authTime = 10 * time.Second

// shortPassword is a length below which a password is warned of. It is not refused: okqd slows down guesses, and clients of
// before have the password that they have.
const shortPassword = 16

// smallest are the least limits that leave the protocol usable.
const (
	smallestBulk = 1 << 10
	smallestArgs = 16
)

// Validate names the flags that are wrong.
func (c *Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.ListenAddr); err != nil {
		errs = append(errs, fmt.Errorf("--listen-addr: %w", err))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("--tls-cert and --tls-key go together"))
	}
	if c.MaxBulk < smallestBulk || c.MaxBulk > 1<<30 {
		errs = append(errs, fmt.Errorf("--max-bulk must be %d to %d", smallestBulk, 1<<30))
	}
	if c.MaxArgs < smallestArgs {
		errs = append(errs, fmt.Errorf("--max-args must be at least %d", smallestArgs))
	}
	if c.MaxConns < 1 {
		errs = append(errs, errors.New("--max-conns must be at least 1"))
	}
	if c.MaxInflight < int64(c.limits().MaxBytes) {
		errs = append(errs, errors.New("--max-inflight must be at least 1 MiB more than --max-bulk"))
	}
	if c.ReadTimeout <= 0 {
		errs = append(errs, errors.New("--read-timeout must be positive"))
	}
	if c.WriteTimeout <= 0 {
		errs = append(errs, errors.New("--write-timeout must be positive"))
	}
	return errors.Join(append(errs, c.Local.Validate(), c.Redis.Validate())...)
}

func (c *Config) limits() resp.Limits {
	return resp.Limits{MaxBulk: c.MaxBulk, MaxArgs: c.MaxArgs, MaxBytes: c.MaxBulk + 1<<20}
}

// unauthenticatedLimits hold until the password is given.
func unauthenticatedLimits() resp.Limits {
	return resp.Limits{MaxBulk: 8 << 10, MaxArgs: smallestArgs, MaxBytes: 32 << 10}
}

// tlsConfig is nil for plain TCP.
func (c *Config) tlsConfig(log zerolog.Logger) (*tls.Config, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	return listen.TLS(c.TLSCert, c.TLSKey, log)
}
