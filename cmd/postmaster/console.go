package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/console"
	"github.com/levenlabs/postmaster/internal/queue"
	"github.com/levenlabs/postmaster/internal/store"
)

func consoleCommand() *cobra.Command {
	var (
		cfg      console.Config
		okqCfg   queue.Config
		storeCfg store.Config
	)
	cmd := cmdutil.Program{
		Name: "console", Short: "Show the queues and mails in a browser",
		Long: `Serve the operator's pages: how the queues stand, what became of a mail, what died and why. It talks only to okq and
the store, so it runs anywhere beside them; postmaster serve and postmaster demo have it inside. See docs/console.md.`,
		EnvPrefix: "POSTMASTER_", OpsAddr: "127.0.0.1:9995", Config: cmdutil.Union{&cfg, &okqCfg, &storeCfg},
		Run: func(ctx context.Context, env cmdutil.Env) error {
			client, err := okqCfg.Client(env.Log)
			if err != nil {
				return err
			}
			defer client.Close()
			env.Ready.Add("okq", client.Ping)
			stores, err := store.Open(ctx, storeCfg, env.Log)
			if err != nil {
				return err
			}
			defer stores.Close()
			env.Ready.Add("store", stores.Ping)
			deps := console.Deps{
				Queue: client, Records: stores.Stats, Prefs: stores.Prefs, Beats: stores.Beats, Letters: console.NewLetters(client, stores.Stats),
			}
			c, err := console.New(cfg, deps, env.Log)
			if err != nil {
				return err
			}
			if err := c.Listen(); err != nil {
				return err
			}
			env.Ready.Started()
			return c.Run(ctx)
		},
	}.Command()
	cmd.AddCommand(passwdCommand())
	return cmd
}
