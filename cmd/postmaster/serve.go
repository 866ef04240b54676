package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/serve"
)

func serveCommand() *cobra.Command {
	var cfg serve.Config
	return cmdutil.Program{
		Name: "serve", Short: "Run all of postmaster in one process",
		Long: `Run pm-api, pm-worker and pm-hooks in one process, with an embedded queue and an SQLite store in --data-dir unless
--okq-addr and --mongo-addr name others. It takes the flags of postmaster 0.4.0.`,
		EnvPrefix: "POSTMASTER_", OpsAddr: opsAddr, Config: &cfg, Tolerate: serve.Tolerate,
		Run: func(ctx context.Context, env cmdutil.Env) error {
			system, err := serve.New(ctx, cfg, env)
			if err != nil {
				return err
			}
			return system.Run(ctx)
		},
	}.Command()
}
