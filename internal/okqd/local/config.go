package local

import (
	"errors"

	"github.com/spf13/pflag"
)

// Config is where the engine keeps its data and how much disk it leaves alone.
type Config struct {
	Dir     string
	MinFree int64 // bytes
}

// AddFlags defines --data-dir and --min-free.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Dir, "data-dir", "./okq-data", "directory of the queues, created if missing")
	fs.Int64Var(&c.MinFree, "min-free", 128<<20, "bytes of disk below which pushes are refused, so that pops and acks can go on (at most an eighth of the disk)")
}

// Validate names the flags that are wrong.
func (c *Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("--data-dir must not be empty"))
	}
	if c.MinFree < 0 {
		errs = append(errs, errors.New("--min-free must not be negative"))
	}
	return errors.Join(errs...)
}
