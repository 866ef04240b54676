package cmdutil

import (
	"errors"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/listen"
)

// A listening Config says where its program listens. A program refuses to start with a listener that other machines can
// reach without a credential, unless --insecure is given.
type listening interface {
	Listeners() []listen.Listener
}

// Listeners returns those of all parts.
func (u Union) Listeners() []listen.Listener {
	var all []listen.Listener
	for _, part := range u {
		if l, ok := part.(listening); ok {
			all = append(all, l.Listeners()...)
		}
	}
	return all
}

// exposure is what a program does about listeners that lack a credential.
type exposure struct {
	insecure bool                                       // --insecure
	tolerate func(*pflag.FlagSet) (zerolog.Level, bool) // nil: never
	flags    *pflag.FlagSet
}

func (x *exposure) AddFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&x.insecure, "insecure", false, "listen even where other machines can connect without a credential; logged at each start")
	x.flags = fs
}

// check returns what to log about each exposed listener, or an error if the program must not start.
func (x *exposure) check(cfg Config) (func(zerolog.Logger), error) {
	var faults []error
	if l, ok := cfg.(listening); ok {
		for _, l := range l.Listeners() {
			if l.Exposed() {
				faults = append(faults, l.Fault())
			}
		}
	}
	level := zerolog.WarnLevel
	if !x.insecure && len(faults) > 0 {
		tolerated := false
		if x.tolerate != nil {
			level, tolerated = x.tolerate(x.flags)
		}
		if !tolerated {
			return nil, errors.Join(append(faults, errors.New("--insecure listens all the same"))...)
		}
	}
	return func(log zerolog.Logger) {
		if x.insecure {
			log.Warn().Msg("--insecure is set: listeners need no credential")
		}
		for _, fault := range faults {
			log.WithLevel(level).Err(fault).Msg("listening without a credential")
		}
	}, nil
}
