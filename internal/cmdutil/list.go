package cmdutil

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// SplitList returns the values of a list: those between commas, without the spaces around them.
func SplitList(text string) []string {
	values := strings.Split(text, ",")
	for i := range values {
		values[i] = strings.TrimSpace(values[i])
	}
	return values
}

// ListVar defines a flag that takes several values, with commas between them or one for each use of the flag. The
// first use replaces the defaults. BindEnv refuses an empty value.
func ListVar(fs *pflag.FlagSet, p *[]string, name string, defaults []string, usage string) {
	*p = defaults
	fs.Var(&list{values: p}, name, usage)
}

// SecretListVar is ListVar for values that --help must not show.
func SecretListVar(fs *pflag.FlagSet, p *[]string, name, usage string) {
	*p = nil
	fs.Var(&list{values: p, secret: true}, name, usage)
}

// SecretLinesVar is SecretListVar for values that may have commas and spaces: several in one value are on lines of
// their own.
func SecretLinesVar(fs *pflag.FlagSet, p *[]string, name, usage string) {
	*p = nil
	fs.Var(&list{values: p, secret: true, lines: true}, name, usage)
}

type list struct {
	values *[]string
	set    bool // by a use of the flag: the next one adds to it
	secret bool
	lines  bool
}

// Set implements pflag.Value. It never fails, because pflag repeats a faulty value, which may be a secret.
func (l *list) Set(text string) error {
	if !l.set {
		*l.values = nil
	}
	split := SplitList
	if l.lines {
		split = splitLines
	}
	*l.values, l.set = append(*l.values, split(text)...), true
	return nil
}

func splitLines(text string) []string {
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
}

// Type implements pflag.Value.
func (*list) Type() string { return "strings" }

// String implements pflag.Value.
func (l *list) String() string {
	if l.secret || l.values == nil || len(*l.values) == 0 {
		return ""
	}
	return strings.Join(*l.values, ",")
}

func (l *list) hasEmpty() bool {
	for _, v := range *l.values {
		if v == "" {
			return true
		}
	}
	return false
}

// checkLists names the list flags that were set and have an empty value: a secret that was not filled in must not open
// the door to all.
func checkLists(fs *pflag.FlagSet) error {
	var errs []error
	fs.VisitAll(func(f *pflag.Flag) {
		if l, ok := f.Value.(interface{ hasEmpty() bool }); ok && f.Changed && l.hasEmpty() {
			errs = append(errs, fmt.Errorf("--%s must not have an empty value", f.Name))
		}
	})
	return errors.Join(errs...)
}
