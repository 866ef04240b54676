// Package store opens the database that a process was told to use, MongoDB or an SQLite file, and hands out what is
// kept in it: preferences (pkg/prefs) and the records of mails (pkg/stats).
package store

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// Config is where the database is. Both empty is none at all: no preferences, no ledger.
type Config struct {
	MongoAddr string // host:port or a whole URI, which may hold a password
	SQLite    string // path of a file
}

// AddFlags defines --mongo-addr and --sqlite.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&c.MongoAddr, "mongo-addr", "",
		"MongoDB server, host:port or a mongodb:// or mongodb+srv:// URI; database postmaster unless the URI names one")
	fs.StringVar(&c.SQLite, "sqlite", "", "SQLite file, for one machine without MongoDB; its processes may share it")
}

// Validate names the flags that are wrong.
func (c *Config) Validate() error {
	var errs []error
	if c.MongoAddr != "" && c.SQLite != "" {
		errs = append(errs, errors.New("--mongo-addr and --sqlite exclude each other"))
	}
	if c.MongoAddr != "" {
		if err := validateMongoAddr(c.MongoAddr); err != nil {
			errs = append(errs, fmt.Errorf("--mongo-addr: %w", err))
		}
	}
	return errors.Join(errs...)
}

// validateAddrs reads a list of host:port.
func validateAddrs(list string) error {
	for addr := range strings.SplitSeq(list, ",") {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return errors.New("must be host:port or a mongodb:// or mongodb+srv:// URI") // it may be a mistyped URI with a password
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
			return errors.New("must be host:port, the port from 1 to 65535")
		}
	}
	return nil
}
