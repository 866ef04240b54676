package console

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A kind is a kind of mail: one bit of a mail's flags.
type kind struct {
	Bit  int64
	Name string
}

// kinds are those that have names, the lowest bit first.
func (c *Config) kinds() ([]kind, error) {
	var kinds []kind
	var errs []error
	for text, name := range c.FlagNames {
		bit, err := strconv.ParseInt(text, 10, 64)
		if err != nil || bit <= job.FlagsAllAllowed || bit&(bit-1) != 0 || name == "" {
			errs = append(errs, fmt.Errorf("--flag-names: %q=%q: want a power of two from 2 on, and its name", text, name))
			continue
		}
		kinds = append(kinds, kind{bit, name})
	}
	slices.SortFunc(kinds, func(a, b kind) int { return int(min(max(a.Bit-b.Bit, -1), 1)) })
	return kinds, errors.Join(errs...)
}

// A toggle is a kind of mail that a recipient wants or does not.
type toggle struct {
	kind
	Wanted bool
}

// toggles are the kinds that have names, and those without that the recipient opted out of.
func toggles(kinds []kind, optedOut int64) []toggle {
	var all []toggle
	named := job.FlagsAllAllowed
	for _, k := range kinds {
		named |= k.Bit
		all = append(all, toggle{k, job.Allowed(optedOut, k.Bit)})
	}
	for bit := range 64 {
		if flag := int64(1) << bit; optedOut&flag&^named != 0 {
			all = append(all, toggle{kind{flag, fmt.Sprintf("mail with flag %d", flag)}, false})
		}
	}
	return all
}

// kindNames are the names of a mail's flags.
func kindNames(kinds []kind, flags int64) []string {
	var names []string
	for _, k := range kinds {
		if flags&k.Bit != 0 {
			names = append(names, k.Name)
		}
	}
	return names
}
