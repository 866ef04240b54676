// Command pm-api is the JSON-RPC server that takes mails to send, and answers what became of them.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/api"
	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/queue"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/tracing"
)

var version string // set with -ldflags "-X main.version=..."

func main() { os.Exit(cmdutil.Main(newCommand())) }

// newCommand is separate from main so that tests can run the whole program.
func newCommand() *cobra.Command {
	var (
		okqCfg   queue.Config
		storeCfg store.Config
		traceCfg tracing.Config
		cfg      api.Config
	)
	return cmdutil.Program{
		Name: "pm-api", Short: "Take emails to send, by JSON-RPC", Version: cmdutil.Version(version),
		EnvPrefix: "POSTMASTER_", OpsAddr: "127.0.0.1:9992",
		Config: cmdutil.Union{&cfg, &okqCfg, &storeCfg, &traceCfg},
		Run: func(ctx context.Context, env cmdutil.Env) error {
			client, err := okqCfg.Client(env.Log)
			if err != nil {
				return err
			}
			defer client.Close()
			env.Ready.Add("okq", client.Ping)
			large, err := okqCfg.Client(env.Log)
			if err != nil {
				return err
			}
			defer large.Close()
			stores, err := store.OpenPatiently(ctx, storeCfg, env.Log)
			if err != nil {
				return err
			}
			defer stores.Close()
			tracer, err := traceCfg.Start(ctx, "pm-api", env.Log)
			if err != nil {
				return err
			}
			defer tracer.Close()
			deps := api.Deps{Queue: client, Large: large, Prefs: stores.Prefs, Records: stores.Stats, Keys: stores.Keys, Tracer: tracer}
			srv, err := api.New(cfg, deps, env.Log, env.Metrics)
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
