package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/okqd/redis"
)

func migrateCommand() *cobra.Command {
	var m redis.Migrate
	cmd := &cobra.Command{
		Use: "migrate", Short: "Move the queues of an original okq server, on the same Redis", Args: cobra.NoArgs,
		Long: `Move the queues that an original okq server left in a Redis to where okqd has its own. Stop the original before.
It may be stopped at any point and run again: no event is lost or doubled. See docs/design/okq.md.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(cmdutil.BindEnv("OKQ_", cmd.Flags()), m.Validate()); err != nil {
				return err
			}
			return m.Run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	m.AddFlags(cmd.Flags())
	return cmd
}
