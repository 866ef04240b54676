// Package serve runs all of postmaster in one process, for one machine: what postmaster 0.4.0's users run. The parts
// are the ones that run as processes of their own elsewhere, and they talk only through okq here too.
package serve

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/api"
	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/console"
	"github.com/levenlabs/postmaster/internal/hooks"
	"github.com/levenlabs/postmaster/internal/listen"
	"github.com/levenlabs/postmaster/internal/okqd"
	"github.com/levenlabs/postmaster/internal/queue"
	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/tracing"
	"github.com/levenlabs/postmaster/internal/worker"
)

// Config is the flags of all parts, and where the embedded queue and store are kept.
type Config struct {
	DataDir  string
	OkqdAddr string
	// Unannounced keeps the operator's commands from finding this process.
	Unannounced bool

	API      api.Config
	Worker   worker.Config
	SendGrid sendgrid.Config
	Hooks    hooks.Config
	Queue    queue.Config   // no address: the embedded okqd
	Store    store.Config   // none: SQLite in DataDir
	Console  console.Config // no address: none
	Trace    tracing.Config
}

func (c *Config) parts() cmdutil.Union {
	return cmdutil.Union{&c.Worker, &c.SendGrid, &c.API, &c.Hooks, &c.Store, &c.Trace}
}

// AddFlags defines the flags of all parts.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.DataDir, "data-dir", "postmaster-data", "folder of the embedded queue, and of the SQLite store unless --mongo-addr or --sqlite is set")
	fs.StringVar(&c.OkqdAddr, "okqd-listen-addr", "127.0.0.1:4777", "address of the embedded queue")
	c.parts().AddFlags(fs)
	c.Console.AddFlags(fs)
	fs.Lookup("console-addr").Usage += "; empty for none"
	c.Queue.AddFlags(fs)
	addr := fs.Lookup("okq-addr")
	addr.DefValue, addr.Usage = "", addr.Usage+" (default: the embedded queue)"
	c.Queue.Addrs = ""
}

// Listeners are those of all parts.
func (c *Config) Listeners() []listen.Listener {
	all := append(c.parts().Listeners(), c.Console.Listeners()...)
	if c.embedsQueue() {
		all = append(all, listen.Listener{Flag: "--okqd-listen-addr", Addr: c.OkqdAddr, Protected: c.Queue.Password != "", Needs: "--okq-password"})
	}
	return all
}

// flagsOf040 are the flags that postmaster 0.4.0 had, as far as serve has them.
var flagsOf040 = []string{
	"environment", "listen-addr", "log-level", "mongo-addr", "okq-addr", "okq-pool-size", "sendgrid-ip-pool", "sendgrid-key",
	"webhook-addr", "webhook-pass",
}

// Tolerate has a process that was started with flags of 0.4.0 alone listen without credentials, as 0.4.0 did: its callers
// have none.
func Tolerate(fs *pflag.FlagSet) (zerolog.Level, bool) {
	old := true
	fs.Visit(func(f *pflag.Flag) { old = old && slices.Contains(flagsOf040, f.Name) })
	return zerolog.ErrorLevel, old
}

// Validate joins all faults.
func (c *Config) Validate() error {
	errs := []error{c.parts().Validate()}
	if !c.embedsQueue() {
		errs = append(errs, c.Queue.Validate())
	} else if _, _, err := net.SplitHostPort(c.OkqdAddr); err != nil {
		errs = append(errs, fmt.Errorf("--okqd-listen-addr: %w", err))
	}
	if c.Console.Addr != "" {
		errs = append(errs, c.Console.Validate())
	}
	if c.DataDir == "" {
		errs = append(errs, errors.New("--data-dir must be set"))
	}
	return errors.Join(errs...)
}

func (c *Config) embedsQueue() bool { return c.Queue.Addrs == "" }

// okqd is the embedded queue's configuration: its own defaults, here.
func (c *Config) okqd() okqd.Config {
	var cfg okqd.Config
	cfg.AddFlags(pflag.NewFlagSet("", pflag.ContinueOnError)) // sets the defaults
	cfg.ListenAddr, cfg.Local.Dir = c.OkqdAddr, filepath.Join(c.DataDir, "okq")
	if c.Queue.Password != "" {
		cfg.Passwords = []string{c.Queue.Password}
	}
	return cfg
}

// store is the configured store, or the embedded one.
func (c *Config) store() store.Config {
	if c.Store == (store.Config{}) {
		return store.Config{SQLite: filepath.Join(c.DataDir, "postmaster.db")}
	}
	return c.Store
}
