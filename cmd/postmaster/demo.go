package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/demo"
)

func demoCommand() *cobra.Command {
	var (
		cfg demo.Config
		cmd *cobra.Command
	)
	cmd = cmdutil.Program{
		Name: "demo", Short: "Run all of postmaster with a fake SendGrid and its inbox page",
		Long: `Run all of postmaster in one process with a fake SendGrid, whose inbox page shows each mail and lets you make its events
happen. Nothing leaves this machine and no account is needed. With --once, play the main job and exit.`,
		EnvPrefix: "POSTMASTER_", OpsAddr: opsAddr, Config: &cfg, Tolerate: demo.Tolerate,
		AnyOpsAddr: func() bool { return cfg.Once },
		Log:        cmdutil.LogConfig{Level: "warn", Format: "console"},
		Run: func(ctx context.Context, env cmdutil.Env) error {
			return demo.Run(ctx, cfg, env, cmd.OutOrStdout())
		},
	}.Command()
	return cmd
}
