package operator

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/queue"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// checkConsumed names a queue that no worker consumes.
func checkConsumed(queues []string) error {
	for _, q := range queues {
		if !slices.Contains(consumed, q) {
			return fmt.Errorf("%q is not consumed by workers; these are: %v", q, consumed)
		}
	}
	return nil
}

// why is the flag of a pause's reason.
type why struct{ reason string }

func (w *why) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&w.reason, "reason", "", "why, for those who look at queue status")
}

func (w *why) Validate() error { return nil }

func queuePause() *cobra.Command {
	var (
		reason why
		cfg    queue.Config
	)
	cmd := cmdutil.Tool{
		Use: "pause QUEUE…", Short: "Stop all workers from taking a queue's jobs", Args: cobra.MinimumNArgs(1),
		Long: `Stop all workers, those that start later too, from taking jobs of a queue until it is resumed. It reaches them within
about a second; mails that are at SendGrid by then are finished, others in hand are given back. Jobs can still be queued.`,
		Example:   `  postmaster queue pause email-normal --reason "wrong template in the March campaign"`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&reason, &cfg},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			if err := checkConsumed(args); err != nil {
				return err
			}
			pause := job.Pause{Since: time.Now().Unix(), By: whoami(), Reason: reason.reason}
			contents, err := pause.Encode()
			if err != nil {
				return err
			}
			return withQueue(&cfg, log, func(client *okq.Client) error {
				for _, q := range args {
					err := client.Push(cmd.Context(), okq.Event{Queue: job.PauseQueue(q), ID: job.PauseID, Contents: contents})
					if err != nil && !errors.Is(err, okq.ErrDuplicate) {
						return err
					}
					fmt.Fprintf(cmd.OutOrStdout(), "%s is paused\n", q)
				}
				return nil
			})
		},
	}.Command()
	cmd.ValidArgsFunction = fixed(consumed...)
	return cmd
}

// whoami is who pauses, as far as the machine knows.
func whoami() string {
	host, _ := os.Hostname() // unknown is empty
	if u, err := user.Current(); err == nil {
		return u.Username + "@" + host
	}
	return host
}

func queueResume() *cobra.Command {
	var cfg queue.Config
	cmd := cmdutil.Tool{
		Use: "resume QUEUE…", Short: "Let workers take a paused queue's jobs again", Args: cobra.MinimumNArgs(1),
		Long:      "Let workers take the jobs of a paused queue again.",
		Example:   `  postmaster queue resume email-normal`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&cfg},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			if err := checkConsumed(args); err != nil {
				return err
			}
			return withQueue(&cfg, log, func(client *okq.Client) error {
				for _, q := range args {
					if err := client.Flush(cmd.Context(), job.PauseQueue(q)); err != nil {
						return err
					}
					fmt.Fprintf(cmd.OutOrStdout(), "%s is resumed\n", q)
				}
				return nil
			})
		},
	}.Command()
	cmd.ValidArgsFunction = fixed(consumed...)
	return cmd
}
