package operator

import (
	"cmp"
	"context"
	"fmt"
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

// consumed are the queues that workers consume, which are those that can be paused.
var consumed = []string{job.QueueEmailHigh, job.QueueEmailNormal, job.QueueStats}

// standing is a line of queue status.
type standing struct {
	Queue     string     `json:"queue"`
	Total     int        `json:"total"`
	Ready     int        `json:"ready"`
	Delayed   int        `json:"delayed"`
	Leased    int        `json:"leased"`
	Consumers int        `json:"consumers"`
	OldestMS  int64      `json:"oldestReadyMs"`
	Paused    *job.Pause `json:"paused,omitempty"`
}

func queueStatus() *cobra.Command {
	var (
		out output
		cfg queue.Config
	)
	cmd := cmdutil.Tool{
		Use: "status [QUEUE…]", Short: "Show how the queues stand",
		Long: "Show how queues stand: jobs in total, ready, delayed and leased (with a worker), consumers, how long the oldest ready job has waited, and whether the queue is paused. Without names: postmaster's own queues and all others that have something.",
		Example: `  postmaster queue status
  postmaster queue status email-high email-dead --json`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&out, &cfg},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			return withQueue(&cfg, log, func(client *okq.Client) error {
				all, err := standings(cmd.Context(), client, args)
				if err != nil {
					return err
				}
				return printStandings(cmd, all, out.json)
			})
		},
	}.Command()
	cmd.ValidArgsFunction = ask(&cfg, queueNames)
	return cmd
}

// standings asks for the queues named, or for all.
func standings(ctx context.Context, client *okq.Client, names []string) ([]standing, error) {
	if len(names) == 0 {
		names = append(slices.Clone(consumed), job.QueueEmailDead, job.QueueStatsDead)
		others, err := client.Status(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range others {
			if job.HoldsWork(s.Queue) && !slices.Contains(names, s.Queue) {
				names = append(names, s.Queue)
			}
		}
	}
	statuses, err := client.Status(ctx, names...)
	if err != nil {
		return nil, err
	}
	var all []standing
	for _, s := range statuses {
		st := standing{
			Queue: s.Queue, Total: s.Total, Ready: s.Total - s.Delayed - s.Processing, Delayed: s.Delayed, Leased: s.Processing,
			Consumers: s.Consumers, OldestMS: s.OldestAge.Milliseconds(),
		}
		marker, paused, err := client.Peek(ctx, job.PauseQueue(s.Queue), okq.PeekFront)
		if err != nil {
			return nil, err
		}
		if paused {
			p := job.DecodePause(marker.Contents)
			st.Paused = &p
		}
		all = append(all, st)
	}
	return all, nil
}

func printStandings(cmd *cobra.Command, all []standing, asJSON bool) error {
	rows := [][]string{{"QUEUE", "TOTAL", "READY", "DELAYED", "LEASED", "CONSUMERS", "OLDEST", "PAUSED"}}
	for _, s := range all {
		if asJSON {
			if err := printJSON(cmd.OutOrStdout(), s); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, s.row())
	}
	if asJSON {
		return nil
	}
	return table(cmd.OutOrStdout(), rows)
}

func (s *standing) row() []string {
	row := []string{s.Queue}
	for _, n := range []int{s.Total, s.Ready, s.Delayed, s.Leased, s.Consumers} {
		row = append(row, fmt.Sprint(n))
	}
	age := (time.Duration(s.OldestMS) * time.Millisecond).Round(time.Second)
	return append(row, age.String(), pauseText(s.Paused))
}

func pauseText(p *job.Pause) string {
	if p == nil {
		return "no"
	}
	text := "since " + stamp(p.Start()) + " by " + cmp.Or(p.By, "somebody")
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	return text
}

func queuePeek() *cobra.Command {
	var (
		out  output
		back backEnd
		cfg  queue.Config
	)
	cmd := cmdutil.Tool{
		Use: "peek QUEUE", Short: "Show the next job of a queue, and leave it there", Args: cobra.ExactArgs(1),
		Long: "Show the job that is taken next, or with --back the one that was queued last, and leave it where it is.",
		Example: `  postmaster queue peek email-normal
  postmaster queue peek stats-normal --back`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&out, &back, &cfg},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			return withQueue(&cfg, log, func(client *okq.Client) error {
				end := okq.PeekFront
				if back {
					end = okq.PeekBack
				}
				e, ok, err := client.Peek(cmd.Context(), args[0], end)
				switch {
				case err != nil:
					return err
				case !ok:
					return fmt.Errorf("%s has no job that is ready", args[0])
				case out.json:
					return printJSON(cmd.OutOrStdout(), map[string]string{"id": e.ID, "queue": e.Queue, "contents": string(e.Contents)})
				}
				fmt.Fprintf(cmd.OutOrStdout(), "id: %s\n", e.ID)
				return pretty(cmd.OutOrStdout(), e.Contents)
			})
		},
	}.Command()
	cmd.ValidArgsFunction = ask(&cfg, queueNames)
	return cmd
}

// backEnd is the flag that chooses the end of the queue.
type backEnd bool

func (b *backEnd) AddFlags(fs *pflag.FlagSet) {
	fs.BoolVar((*bool)(b), "back", false, "show the job that was queued last")
}

func (b *backEnd) Validate() error { return nil }
