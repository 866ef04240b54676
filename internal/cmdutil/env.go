package cmdutil

import (
	"errors"
	"fmt"
	"os"
	"regexp"
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
		value, from, err := lookupEnv(variable(prefix, f.Name))
		if err == nil && from != "" {
			err = fs.Set(f.Name, value)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s (--%s): %w", from, f.Name, cause(err)))
		}
	})
	return errors.Join(append(errs, checkLists(fs))...)
}

// unknownVariables returns the variables with the prefix that set no flag, but for those that Kubernetes makes of a
// Service with the prefix's name.
func unknownVariables(prefix string, fs *pflag.FlagSet) []string {
	known := map[string]bool{prefix + "VERSION": true}
	fs.VisitAll(func(f *pflag.Flag) {
		known[variable(prefix, f.Name)], known[variable(prefix, f.Name)+"_FILE"] = true, true
	})
	var unknown []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, prefix) && !known[name] && !serviceLink.MatchString(name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_.*)?)?)$`)

// showVariables has --help name each flag's variable.
func showVariables(prefix string, fs *pflag.FlagSet) {
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && f.Name != "version" {
			f.Usage += " [" + variable(prefix, f.Name) + "]"
		}
	})
}

func variable(prefix, flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
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
