package main

import (
	"fmt"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/hooks"
	"github.com/levenlabs/postmaster/internal/queue"
)

func hooksCommand() *cobra.Command {
	return cmdutil.Group("hooks", "Work with what pm-hooks has received", replayCommand())
}

func replayCommand() *cobra.Command {
	var (
		cfg    hooks.ReplayConfig
		okqCfg queue.Config
	)
	return cmdutil.Tool{
		Use: "replay DIR", Short: "Queue the webhook events of an archive once more", Args: cobra.ExactArgs(1),
		Long: `Queue the webhook events that pm-hooks --archive DIR has kept once more, for pm-worker to fold: for when the store was
restored from a backup. It is harmless at any time, because an event that is known changes nothing. A replay that was
stopped says how to go on.`,
		EnvPrefix: "POSTMASTER_", Config: cmdutil.Union{&cfg, &okqCfg},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			client, err := okqCfg.Client(log)
			if err != nil {
				return err
			}
			defer client.Close()
			tell := func(r hooks.Replayed) {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %d POSTs, %d events queued so far\n", r.File, r.Posts, r.Events)
			}
			done, err := hooks.Replay(cmd.Context(), cfg, args[0], client, tell)
			if done.File == "" {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "total: %d POSTs, %d events queued", done.Posts, done.Events)
			if done.Unusable > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "; %d POSTs are no batch of events", done.Unusable)
			}
			fmt.Fprintln(cmd.OutOrStdout())
			return err
		},
	}.Command()
}
