package operator

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// maxFound bounds --limit, since all that is found is held in memory.
const maxFound = 10_000

// findLimit is the flag of how many to list.
type findLimit struct{ most int }

func (l *findLimit) AddFlags(fs *pflag.FlagSet) {
	fs.IntVar(&l.most, "limit", 20, "mails to list, at most")
}

func (l *findLimit) Validate() error {
	if l.most < 1 || l.most > maxFound {
		return fmt.Errorf("--limit must be 1 to %d", maxFound)
	}
	return nil
}

var errNoneFound = errors.New("no mail found; one that no worker has had in hand yet is found by its id only: email show ID")

func emailFind() *cobra.Command {
	var (
		out      output
		most     findLimit
		storeCfg store.Config
	)
	return cmdutil.Tool{
		Use: "find RECIPIENT|UNIQUEID", Short: "Find mails by recipient or unique ID", Args: cobra.ExactArgs(1),
		Long: `Find the mails to a recipient (what has an @), newest first, or those with a unique ID, among the mails that workers have had
in hand. A recipient is found in the spelling given and in lower case.`,
		Example: `  postmaster email find ann@example.com
  postmaster email find order-1234 --json`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&out, &most, &storeCfg},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			if args[0] == "" {
				return errNoneFound // an empty query would be all mails
			}
			return withStore(cmd.Context(), &storeCfg, log, func(s *store.Stores) error {
				q := stats.Query{UniqueID: args[0], Limit: most.most}
				if strings.Contains(args[0], "@") {
					q = stats.Query{Recipient: args[0], Limit: most.most}
				}
				found, err := s.Stats.Find(cmd.Context(), q)
				if err != nil {
					return err
				}
				return printFound(cmd, found, out.json)
			})
		},
	}.Command()
}

func printFound(cmd *cobra.Command, found []*stats.Record, asJSON bool) error {
	if len(found) == 0 {
		return errNoneFound
	}
	rows := [][]string{{"ID", "CREATED", "STATE", "RECIPIENT", "UNIQUE ID"}}
	for _, r := range found {
		if asJSON {
			if err := printJSON(cmd.OutOrStdout(), trace{ID: r.ID, Record: newRecord(r)}); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{string(r.ID), stamp(r.Created), string(r.Outcome()), r.Recipient, r.UniqueID})
	}
	if asJSON {
		return nil
	}
	return table(cmd.OutOrStdout(), rows)
}
