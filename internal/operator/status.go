package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/queue"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// pace is the flags of how often to look.
type pace struct {
	every time.Duration
	once  bool
}

func (p *pace) AddFlags(fs *pflag.FlagSet) {
	fs.DurationVar(&p.every, "every", 2*time.Second, "time between two looks, which the rates are means of")
	fs.BoolVar(&p.once, "once", false, "look twice, print that, and end")
}

func (p *pace) Validate() error {
	if p.every < 100*time.Millisecond {
		return errors.New("--every must be at least 100ms")
	}
	return nil
}

// flow is a queue's standing with what goes in and out.
type flow struct {
	standing
	In  *float64 `json:"inPerSecond,omitempty"` // nil: not known
	Out *float64 `json:"outPerSecond,omitempty"`
}

// snapshot is one look at everything.
type snapshot struct {
	At      time.Time `json:"at"`
	Queues  []flow    `json:"queues"`
	Unknown *int      `json:"unknownOutcomes,omitempty"` // as far as maxUnknown; nil without a store
}

// maxUnknown is as far as unknown outcomes are counted.
const maxUnknown = 1000

func status() *cobra.Command {
	var (
		out      output
		pace     pace
		okqCfg   queue.Config
		storeCfg store.Config
	)
	return cmdutil.Tool{
		Use: "status", Short: "Show how everything stands, again and again", Args: cobra.NoArgs,
		Long: `Show how the queues stand and what goes in and out of each per second, until it is interrupted. With the workers' store it
also counts the mails whose outcome is unknown. Of several okqd on one Redis the rates are those of the one asked.`,
		Example: `  postmaster status
  postmaster status --once --json | jq '.queues[] | select(.total > 0)'`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&out, &pace, &okqCfg, &storeCfg},
		Run: func(cmd *cobra.Command, _ []string, log zerolog.Logger) error {
			return withQueue(&okqCfg, log, func(client *okq.Client) error {
				if storeCfg == (store.Config{}) {
					return follow(cmd, client, nil, pace, out.json)
				}
				return withStore(cmd.Context(), &storeCfg, log, func(s *store.Stores) error {
					return follow(cmd, client, s.Stats, pace, out.json)
				})
			})
		},
	}.Command()
}

// follow prints snapshots until the command is interrupted.
func follow(cmd *cobra.Command, client *okq.Client, records stats.Store, p pace, asJSON bool) error {
	ctx := cmd.Context()
	before, err := client.Traffic(ctx)
	since := time.Now()
	for err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(p.every):
		}
		now := time.Now()
		traffic, failed := client.Traffic(ctx)
		if failed != nil {
			return failed
		}
		var s *snapshot
		if s, err = look(ctx, client, records); err != nil {
			return err
		}
		s.rate(before, traffic, now.Sub(since))
		if err = s.print(cmd.OutOrStdout(), asJSON); err != nil || p.once {
			return err
		}
		before, since = traffic, now
	}
	return err
}

func look(ctx context.Context, client *okq.Client, records stats.Store) (*snapshot, error) {
	all, err := standings(ctx, client, nil)
	if err != nil {
		return nil, err
	}
	s := &snapshot{At: time.Now().UTC()}
	for _, st := range all {
		s.Queues = append(s.Queues, flow{standing: st})
	}
	if records == nil {
		return s, nil
	}
	n, err := records.CountUnknown(ctx, maxUnknown)
	s.Unknown = &n
	return s, err
}

// rate works out what went in and out. A server that counts less than before was started again.
func (s *snapshot) rate(before, after map[string]okq.Traffic, took time.Duration) {
	for i := range s.Queues {
		q := &s.Queues[i]
		b, a := before[q.Queue], after[q.Queue]
		if after == nil || a.Pushed < b.Pushed || a.Acked < b.Acked {
			continue
		}
		in, out := (a.Pushed-b.Pushed)/took.Seconds(), (a.Acked-b.Acked)/took.Seconds()
		q.In, q.Out = &in, &out
	}
}

func (s *snapshot) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, s)
	}
	if screen, ok := w.(interface{ Clear() error }); ok {
		if err := screen.Clear(); err != nil {
			return err
		}
	}
	rows := [][]string{{"QUEUE", "TOTAL", "READY", "DELAYED", "LEASED", "CONSUMERS", "OLDEST", "IN/S", "OUT/S", "PAUSED"}}
	for _, q := range s.Queues {
		rows = append(rows, q.row())
	}
	if err := table(w, rows); err != nil {
		return err
	}
	if s.Unknown != nil {
		more := ""
		if *s.Unknown >= maxUnknown {
			more = " or more"
		}
		fmt.Fprintf(w, "unknown outcomes: %d%s\n", *s.Unknown, more)
	}
	_, err := fmt.Fprintf(w, "%s\n", stamp(s.At))
	return err
}

func (q *flow) row() []string {
	row := q.standing.row()
	paused := row[len(row)-1]
	return append(row[:len(row)-1:len(row)-1], perSecond(q.In), perSecond(q.Out), paused)
}

func perSecond(rate *float64) string {
	if rate == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f", *rate)
}
