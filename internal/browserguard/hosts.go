package browserguard

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/listen"
)

// Hosts is the value of --allow-host: host names without ports.
type Hosts []string

// AddFlag defines --allow-host.
func (h *Hosts) AddFlag(fs *pflag.FlagSet) {
	fs.Var(h, "allow-host", "host name, beside loopback ones, that requests over loopback may call this server by where it needs no credential (repeatable, or with commas between)")
}

// Set implements pflag.Value. Each use of the flag adds names.
func (h *Hosts) Set(list string) error {
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			*h = append(*h, listen.Host(name))
		}
	}
	return nil
}

// Type implements pflag.Value.
func (*Hosts) Type() string { return "hosts" }

func (h *Hosts) String() string { return strings.Join(*h, ",") }
