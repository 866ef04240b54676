package operator

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/running"
)

// places are the flags that say where okq and the store are.
var places = []string{"okq-addr", "mongo-addr", "sqlite"}

// findRunning gives each command that asks okq or the store the flag --data-dir, and has them ask the serve or demo that
// runs on this machine when no flag or variable says where else.
func findRunning(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		findRunning(sub)
	}
	fs := cmd.Flags()
	if fs.Lookup("okq-addr") == nil && fs.Lookup("sqlite") == nil {
		return
	}
	dir := fs.String("data-dir", "", "folder of a serve or demo that runs on this machine, to ask (default: the one that runs, if there is no --okq-addr, --mongo-addr or --sqlite)")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if cmdutil.BindEnv(envPrefix, fs) != nil {
			return nil // the command itself will say so
		}
		elsewhere := changed(fs, places...)
		if *dir == "" && elsewhere {
			return nil
		}
		found, err := running.Find(*dir)
		if err != nil {
			if *dir == "" || elsewhere {
				return nil // the flags, or their defaults
			}
			return err
		}
		return setPlaces(fs, found)
	}
}

// setPlaces sets the flags that are not set.
func setPlaces(fs *pflag.FlagSet, found running.Instance) error {
	if fs.Lookup("okq-addr") != nil && !changed(fs, "okq-addr") {
		if err := fs.Set("okq-addr", found.OkqAddr); err != nil {
			return err
		}
	}
	if fs.Lookup("sqlite") == nil || found.SQLite == "" || changed(fs, "sqlite", "mongo-addr") {
		return nil
	}
	return fs.Set("sqlite", found.SQLite)
}

func changed(fs *pflag.FlagSet, names ...string) bool {
	for _, name := range names {
		if fs.Changed(name) {
			return true
		}
	}
	return false
}
