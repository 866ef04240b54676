package hooks

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/browserguard"
	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/listen"
	"github.com/levenlabs/postmaster/internal/unsubscribe"
	"github.com/levenlabs/postmaster/pkg/job"
)

// Config is pm-hooks' flags, without those of okq.
type Config struct {
	Addr          string
	Pass          string
	PublicKeys    []string
	PublicKeyFile string
	Window        time.Duration
	AcceptEnv     []string
	MaxConns      int
	MaxHeld       int64
	TLSCert       string
	TLSKey        string
	Archive       string
	ArchiveKeep   time.Duration
	Environment   string
	Unsubscribe   unsubscribe.Config
	AllowHosts    browserguard.Hosts
}

// AddFlags defines the flags.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Addr, "webhook-addr", "127.0.0.1:8993", "address for SendGrid's Event Webhook")
	fs.StringVar(&c.Pass, "webhook-pass", "", "basic auth password that SendGrid has to give, with any user; better in the environment")
	cmdutil.ListVar(fs, &c.PublicKeys, "webhook-public-key", nil, "base64 key that SendGrid shows for the signed webhook; repeat it while keys change")
	fs.StringVar(&c.PublicKeyFile, "webhook-public-key-file", "", "file of such keys, one a line, which is read again when it changes")
	fs.DurationVar(&c.Window, "webhook-window", 0, "refuse signatures made longer ago than this; 0 takes any, since SendGrid may send an old one for 24h")
	addAcceptEnv(fs, &c.AcceptEnv)
	fs.IntVar(&c.MaxConns, "max-conns", 512, "connections at once; more have to wait")
	fs.Int64Var(&c.MaxHeld, "max-held-bytes", 32<<20, "bytes of POST bodies held at once; more are answered 503")
	fs.StringVar(&c.TLSCert, "tls-cert", "", "certificate file (PEM) to serve https with")
	fs.StringVar(&c.TLSKey, "tls-key", "", "key file (PEM) of --tls-cert")
	fs.StringVar(&c.Archive, "archive", "", "folder to keep accepted POSTs in, for 'postmaster hooks replay'; empty for none")
	fs.DurationVar(&c.ArchiveKeep, "archive-keep", 7*24*time.Hour, "remove files of --archive after this; 0 keeps all")
	fs.StringVar(&c.Environment, "environment", job.DefaultEnv, "name of this environment, whose events are accepted beside those of --accept-env")
	c.Unsubscribe.AddFlags(fs)
	c.AllowHosts.AddFlag(fs)
}

// Listeners says that SendGrid must sign its events or give a password.
func (c *Config) Listeners() []listen.Listener {
	return []listen.Listener{{Flag: "--webhook-addr", Addr: c.Addr, Protected: !c.open(), Needs: "--webhook-public-key or --webhook-pass"}}
}

// Validate joins all faults.
func (c *Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		errs = append(errs, fmt.Errorf("--webhook-addr: %w", err))
	}
	for _, s := range c.PublicKeys {
		if _, err := parseKey(s); err != nil {
			errs = append(errs, fmt.Errorf("--webhook-public-key: %w", err))
		}
	}
	if c.PublicKeyFile != "" {
		if _, err := readKeyFile(c.PublicKeyFile); err != nil {
			errs = append(errs, fmt.Errorf("--webhook-public-key-file: %w", err))
		}
	}
	if c.Window < 0 {
		errs = append(errs, errors.New("--webhook-window must not be negative"))
	}
	errs = append(errs, validAcceptEnv(c.AcceptEnv))
	if c.MaxConns < 1 {
		errs = append(errs, errors.New("--max-conns must be at least 1"))
	}
	if c.MaxHeld < maxBody {
		errs = append(errs, fmt.Errorf("--max-held-bytes must be at least %d, the largest POST", maxBody))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("--tls-cert and --tls-key go together"))
	}
	if c.ArchiveKeep < 0 {
		errs = append(errs, errors.New("--archive-keep must not be negative"))
	}
	errs = append(errs, c.Unsubscribe.Validate())
	return errors.Join(errs...)
}

func addAcceptEnv(fs *pflag.FlagSet, envs *[]string) {
	cmdutil.ListVar(fs, envs, "accept-env", []string{"production", "staging", "dev"}, "take the events of emails sent from these environments")
}

// accepts returns the environments whose events are accepted: those of --accept-env and the process's own.
func accepts(acceptEnv []string, own string) []string {
	if own == "" || slices.Contains(acceptEnv, own) {
		return acceptEnv
	}
	return append(slices.Clone(acceptEnv), own)
}

func validAcceptEnv(envs []string) error {
	if len(envs) == 0 || slices.Contains(envs, "") {
		return errors.New("--accept-env needs the names of environments, with none empty")
	}
	return nil
}

// open tells whether anyone may post events.
func (c *Config) open() bool {
	return c.Pass == "" && len(c.PublicKeys) == 0 && c.PublicKeyFile == ""
}
