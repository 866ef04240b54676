// Command pm-hooks receives SendGrid's Event Webhook and puts the events into okq.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/hooks"
	"github.com/levenlabs/postmaster/internal/queue"
)

var version string // set with -ldflags "-X main.version=..."

func main() { os.Exit(cmdutil.Main(newCommand())) }

// newCommand is separate from main so that tests can run the whole program.
func newCommand() *cobra.Command {
	var (
		okqCfg queue.Config
		cfg    hooks.Config
	)
	return cmdutil.Program{
		Name: "pm-hooks", Short: "Receive SendGrid's Event Webhook", Version: cmdutil.Version(version),
		EnvPrefix: "POSTMASTER_", OpsAddr: "127.0.0.1:9993",
		Config: cmdutil.Union{&cfg, &okqCfg},
		Run: func(ctx context.Context, env cmdutil.Env) error {
			client, err := okqCfg.Client(env.Log)
			if err != nil {
				return err
			}
			defer client.Close()
			env.Ready.Add("okq", client.Ping)
			srv, err := hooks.New(cfg, client, env.Log, env.Metrics)
			if err != nil {
				return err
			}
			if err := srv.Listen(); err != nil {
				return err
			}
			env.Ready.Started()
			return srv.Run(ctx)
		},
	}.Command()
}
