package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/sandbox"
)

func sandboxCommand() *cobra.Command {
	var cfg sandbox.Config
	return cmdutil.Program{
		Name: "sandbox", Short: "Run the fake SendGrid and its inbox page",
		Long: `Run a SendGrid that sends nothing: it refuses what SendGrid refuses, keeps what it accepts in an inbox page, and posts
signed webhook events. Recipients such as bounce@… and spam@… do what they say. See docs/sandbox.md.`,
		EnvPrefix: "POSTMASTER_", OpsAddr: opsAddr, Config: &cfg,
		Run: func(ctx context.Context, env cmdutil.Env) error {
			s, err := sandbox.New(cfg, env.Log)
			if err != nil {
				return err
			}
			if err := s.Listen(); err != nil {
				return err
			}
			env.Ready.Started()
			return s.Run(ctx)
		},
	}.Command()
}
