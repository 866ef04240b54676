package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/prefs"
)

func prefsGet() *cobra.Command {
	var (
		out output
		cfg store.Config
	)
	return cmdutil.Tool{
		Use: "get ADDRESS", Short: "Show which kinds of mail a recipient opted out of", Args: cobra.ExactArgs(1),
		Long:      "Show the opt-out flags of a recipient, as UpdatePrefs takes them: each bit is a kind of mail, 1 is nothing at all.",
		Example:   `  postmaster prefs get ann@example.com --mongo-addr mongo:27017`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&out, &cfg},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			if err := job.ValidateAddress("address", args[0]); err != nil {
				return err
			}
			return withStore(cmd.Context(), &cfg, log, func(s *store.Stores) error {
				return printPrefs(cmd, s.Prefs, args[0], out.json)
			})
		},
	}.Command()
}

func printPrefs(cmd *cobra.Command, s prefs.Store, address string, asJSON bool) error {
	flags, err := optOuts(cmd.Context(), s, address)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), map[string]any{"email": address, "flags": flags})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: flags %d\n", address, flags)
	return err
}

func optOuts(ctx context.Context, s prefs.Store, address string) (int64, error) {
	flags, err := s.Flags(ctx, []string{address})
	if err != nil {
		return 0, err
	}
	if f, ok := flags[address]; ok && f != 0 {
		return f, nil
	}
	return job.FlagsAllAllowed, nil
}

// newFlags is the flag of what to set.
type newFlags struct{ flags int64 }

func (n *newFlags) AddFlags(fs *pflag.FlagSet) {
	fs.Int64Var(&n.flags, "flags", 0, "what the recipient opts out of, a bit for each kind of mail; 1 for nothing")
}

func (n *newFlags) Validate() error {
	if n.flags == 0 {
		return errors.New("--flags must be set, and not to 0: 1 opts into everything")
	}
	return nil
}

func prefsSet() *cobra.Command {
	var (
		set newFlags
		out output
		cfg store.Config
	)
	return cmdutil.Tool{
		Use: "set ADDRESS --flags N", Short: "Set which kinds of mail a recipient opted out of", Args: cobra.ExactArgs(1),
		Long: `Set the opt-out flags of a recipient, as UpdatePrefs does: it is the recipient's own word, which stands until an opt-out
that is made later.`,
		Example: `  postmaster prefs set ann@example.com --flags 6    # none of the kinds 2 and 4
  postmaster prefs set ann@example.com --flags 1    # everything again`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&set, &out, &cfg},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			if err := job.ValidateAddress("address", args[0]); err != nil {
				return err
			}
			return withStore(cmd.Context(), &cfg, log, func(s *store.Stores) error {
				if err := s.Prefs.SetFlags(cmd.Context(), args[0], set.flags, time.Now()); err != nil {
					return err
				}
				return printPrefs(cmd, s.Prefs, args[0], out.json)
			})
		},
	}.Command()
}
