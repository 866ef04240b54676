// Command okqd serves queues in the okq protocol, from a directory of its own.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/okqd"
)

var version string // set with -ldflags "-X main.version=..."

func main() { os.Exit(cmdutil.Main(newCommand())) }

// newCommand is separate from main so that tests can run the whole program.
func newCommand() *cobra.Command {
	var cfg okqd.Config
	cmd := cmdutil.Program{
		Name:      "okqd",
		Short:     "Serve queues in the okq protocol",
		Version:   cmdutil.Version(version),
		EnvPrefix: "OKQ_",
		OpsAddr:   "127.0.0.1:9777",
		Config:    &cfg,
		Run: func(ctx context.Context, env cmdutil.Env) error {
			srv := okqd.New(cfg, env.Log, env.Metrics)
			env.Ready.Add("okqd", srv.Ready)
			env.Ops.HandleFunc("/queues", srv.ServeQueues)
			if err := srv.ListenContext(ctx); err != nil {
				return err
			}
			env.Ready.Started()
			return srv.Run(ctx)
		},
	}.Command()
	cmd.AddCommand(migrateCommand(), checkCommand(), salvageCommand())
	return cmd
}
