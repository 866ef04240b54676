package operator

import (
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

func deadRequeue() *cobra.Command {
	var (
		c        = change{verb: "requeue", done: "requeued"}
		bare     noStore
		storeCfg store.Config
	)
	cmd := cmdutil.Tool{
		Use: "requeue [ID…]", Short: "Put dead letters' jobs back into their queues",
		Long: `Put the jobs of dead letters back into the queues that they came from. Their earlier attempts are forgiven. It may be
stopped and repeated at any time. An ID is a letter's, or an email's, which means its newest letter. Requeueing emails needs
the workers' store, where they are recorded as dead; emails that SendGrid turned out to have are left alone.`,
		Example: `  postmaster dead requeue 6920d5c40000000000000001 --sqlite /var/lib/postmaster/postmaster.db
  postmaster dead requeue --reason "attempts exhausted" --newer-than 6h --mongo-addr mongo:27017
  postmaster dead requeue --queue stats-dead --all --yes`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&c.which, &c.consent, &c.out, &bare, &c.queue, &storeCfg},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			requeue := func(client *okq.Client, records stats.Store) error {
				u := deadletter.Undertaker{Queue: client, Stats: records, Bare: bool(bare)}
				c.do = u.Requeue
				return c.run(cmd, client, args)
			}
			return withQueue(&c.queue, log, func(client *okq.Client) error {
				if storeCfg == (store.Config{}) {
					return requeue(client, nil)
				}
				return withStore(cmd.Context(), &storeCfg, log, func(s *store.Stores) error { return requeue(client, s.Stats) })
			})
		},
	}.Command()
	c.which.complete(cmd)
	cmd.ValidArgsFunction = ask(&c.queue, letterIDs(&c.which.queue))
	return cmd
}

func deadDrop() *cobra.Command {
	c := change{verb: "drop", done: "dropped", asksOfOne: true}
	cmd := cmdutil.Tool{
		Use: "drop [ID…]", Short: "Drop dead letters for good",
		Long: "Drop dead letters for good: the jobs in them are lost. What the store knows of their mails stays.",
		Example: `  postmaster dead drop 6920d5c40000000000000001
  postmaster dead drop --reason rejected --older-than 720h --yes`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&c.which, &c.consent, &c.out, &c.queue},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			return withQueue(&c.queue, log, func(client *okq.Client) error {
				c.do = (&deadletter.Undertaker{Queue: client}).Drop
				return c.run(cmd, client, args)
			})
		},
	}.Command()
	c.which.complete(cmd)
	cmd.ValidArgsFunction = ask(&c.queue, letterIDs(&c.which.queue))
	return cmd
}

// noStore is the flag that says that the workers have none.
type noStore bool

func (n *noStore) AddFlags(fs *pflag.FlagSet) {
	fs.BoolVar((*bool)(n), "no-store", false, "the workers run without a store, so no record of the emails has to be told")
}

func (n *noStore) Validate() error { return nil }
