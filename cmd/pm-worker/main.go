// Command pm-worker takes email jobs from okq and has SendGrid send them, and folds SendGrid's webhook events into the
// records of the mails they are about.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/queue"
	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/internal/tracing"
	"github.com/levenlabs/postmaster/internal/worker"
)

var version string // set with -ldflags "-X main.version=..."

func main() { os.Exit(cmdutil.Main(newCommand())) }

// newCommand is separate from main so that tests can run the whole program.
func newCommand() *cobra.Command {
	var (
		cfg      worker.Config
		sgCfg    sendgrid.Config
		okqCfg   queue.Config
		storeCfg store.Config
		traceCfg tracing.Config
	)
	return cmdutil.Program{
		Name: "pm-worker", Short: "Send queued email, and fold SendGrid's events", Version: cmdutil.Version(version),
		EnvPrefix: "POSTMASTER_", OpsAddr: "127.0.0.1:9994",
		Config: cmdutil.Union{&cfg, &sgCfg, &okqCfg, &storeCfg, &traceCfg},
		Run: func(ctx context.Context, env cmdutil.Env) error {
			client, err := okqCfg.Client(env.Log)
			if err != nil {
				return err
			}
			defer client.Close()
			env.Ready.Add("okq", client.Ping)
			stores, err := store.OpenPatiently(ctx, storeCfg, env.Log)
			if err != nil {
				return err
			}
			defer stores.Close()
			env.Ready.Add("store", stores.Ping)
			sender := sendgrid.New(sgCfg, cfg.Environment, cfg.Concurrency)
			defer sender.Close()
			tracer, err := traceCfg.Start(ctx, "pm-worker", env.Log)
			if err != nil {
				return err
			}
			defer tracer.Close()
			deps := worker.Deps{Queue: client, Sender: sender, Stats: stores.Stats, Prefs: stores.Prefs, Beats: stores.Beats, Tracer: tracer}
			w, err := worker.New(cfg, deps, env.Log, env.Metrics)
			if err != nil {
				return err
			}
			env.Ready.Add("worker", w.Ready)
			env.Ready.Started()
			return w.Run(ctx)
		},
	}.Command()
}
