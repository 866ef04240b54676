package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func statsCommand() *cobra.Command {
	return cmdutil.Group("stats", "Ask the records of mails", gapsCommand())
}

// gapsConfig is the flags of "stats gaps", without those of the store.
type gapsConfig struct {
	older time.Duration
	json  bool
}

func (c *gapsConfig) AddFlags(fs *pflag.FlagSet) {
	fs.DurationVar(&c.older, "older", 6*time.Hour, "list mails that SendGrid accepted longer ago than this")
	fs.BoolVar(&c.json, "json", false, "print a JSON object for each mail, one a line")
}

func (c *gapsConfig) Validate() error {
	if c.older < 0 {
		return errors.New("--older must not be negative")
	}
	return nil
}

func gapsCommand() *cobra.Command {
	var (
		cfg      gapsConfig
		storeCfg store.Config
	)
	return cmdutil.Tool{
		Use: "gaps", Short: "List accepted mails of which SendGrid never reported anything", Args: cobra.NoArgs,
		Long: `List the mails that SendGrid accepted and of which no webhook event ever came, oldest first. SendGrid reports each mail as
processed within minutes, so mails that are hours old tell of a webhook that was lost or is not connected.`,
		EnvPrefix: "POSTMASTER_", Config: cmdutil.Union{&cfg, &storeCfg},
		Run: func(cmd *cobra.Command, _ []string, log zerolog.Logger) error {
			if storeCfg.SQLite != "" {
				if _, err := os.Stat(storeCfg.SQLite); err != nil {
					return fmt.Errorf("--sqlite: %w", err) // Open would make an empty one, without gaps
				}
			}
			stores, err := store.Open(cmd.Context(), storeCfg, log)
			if err != nil {
				return err
			}
			defer stores.Close()
			if stores.None() {
				return errors.New("give --mongo-addr or --sqlite")
			}
			return listGaps(cmd, stores.Stats, cfg)
		},
	}.Command()
}

// A gap is a mail without events, as --json prints it.
type gap struct {
	ID         string    `json:"id"`
	Accepted   time.Time `json:"accepted"`
	Recipient  string    `json:"recipient"`
	UniqueID   string    `json:"uniqueID"`
	SentEnv    string    `json:"sentEnv"`
	EmailFlags int64     `json:"emailFlags"`
	MessageID  string    `json:"messageID"`
}

func listGaps(cmd *cobra.Command, records stats.Store, cfg gapsConfig) error {
	out, n := cmd.OutOrStdout(), 0
	encoder := json.NewEncoder(out)
	err := records.Gaps(cmd.Context(), time.Now().Add(-cfg.older), func(r *stats.Record) error {
		n++
		if cfg.json {
			return encoder.Encode(gap{string(r.ID), r.Updated, r.Recipient, r.UniqueID, r.Env, r.EmailFlags, r.MessageID})
		}
		_, err := fmt.Fprintf(out, "%s  accepted %s  %s  to %s  uniqueID %q\n",
			r.ID, r.Updated.Format(time.RFC3339), r.Env, r.Recipient, r.UniqueID)
		return err
	})
	if err == nil && !cfg.json {
		_, err = fmt.Fprintf(out, "%d mails accepted more than %v ago, and no event of any\n", n, cfg.older)
	}
	return err
}
