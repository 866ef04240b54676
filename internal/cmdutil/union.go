package cmdutil

import (
	"errors"

	"github.com/spf13/pflag"
)

// Union makes one Config of several, for a process that is several programs at once. A flag that more than one of
// them defines is one flag, which sets all; its help and default are the first one's.
type Union []Config

// AddFlags defines the flags of all parts.
func (u Union) AddFlags(fs *pflag.FlagSet) {
	for _, part := range u {
		own := pflag.NewFlagSet("", pflag.ContinueOnError)
		part.AddFlags(own)
		own.VisitAll(func(f *pflag.Flag) {
			if first := fs.Lookup(f.Name); first != nil {
				first.Value = both{first.Value, f.Value}
				return
			}
			fs.AddFlag(f)
		})
	}
}

// Validate joins the parts' faults, each told once.
func (u Union) Validate() error {
	var errs []error
	seen := map[string]bool{}
	for _, part := range u {
		err := part.Validate()
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// both is a flag's value that is kept in two places. It reads as the first.
type both struct {
	pflag.Value
	second pflag.Value
}

func (b both) Set(s string) error {
	return errors.Join(b.Value.Set(s), b.second.Set(s))
}

func (b both) hasEmpty() bool {
	l, ok := b.Value.(interface{ hasEmpty() bool })
	return ok && l.hasEmpty()
}

// IsBoolFlag keeps --flag without a value legal for booleans.
func (b both) IsBoolFlag() bool { return b.Type() == "bool" }
