package cmdutil

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// BindEnv sets the flags that the command line did not from the environment: --okq-addr from PREFIX_OKQ_ADDR, or from
// the file that PREFIX_OKQ_ADDR_FILE names, its last line break taken off. Flag beats variable beats file beats default.
func BindEnv(prefix string, fs *pflag.FlagSet) error {
	var errs []error
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || f.Name == "version" {
			return // POSTMASTER_VERSION may well be set for other reasons
		}
		name := prefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, from, err := lookupEnv(name)
		if err == nil && from != "" {
			err = fs.Set(f.Name, value)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s (--%s): %w", from, f.Name, cause(err)))
		}
	})
	return errors.Join(append(errs, checkLists(fs))...)
}

// cause takes off what pflag says around a value's own error: it repeats the value, which may be a secret.
func cause(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return invalid.Unwrap()
	}
	return err
}

// lookupEnv returns the value and the variable that it is from, or "" when neither is set.
func lookupEnv(name string) (value, from string, err error) {
	if v, ok := os.LookupEnv(name); ok {
		return v, name, nil
	}
	path, ok := os.LookupEnv(name + "_FILE")
	if !ok {
		return "", "", nil
	}
	b, err := os.ReadFile(path)
	return strings.TrimRight(string(b), "\r\n"), name + "_FILE", err
}
