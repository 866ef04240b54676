package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/internal/queue"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// A trace is all that is known of where a mail is.
type trace struct {
	ID     job.ID  `json:"id"`
	Queues []place `json:"queues,omitempty"`
	Record *record `json:"record,omitempty"`

	rec *stats.Record
}

// A record is what the store knows, with times in unix seconds.
type record struct {
	State     stats.State      `json:"state"`
	Recipient string           `json:"recipient"`
	Attempts  int              `json:"attempts"`
	Reason    string           `json:"reason,omitempty"`
	Error     string           `json:"error,omitempty"`
	MessageID string           `json:"messageID,omitempty"`
	UniqueID  string           `json:"uniqueID,omitempty"`
	Created   int64            `json:"created"`
	Updated   int64            `json:"updated"`
	Events    map[string]int64 `json:"events,omitempty"`
}

func newRecord(r *stats.Record) *record {
	events := make(map[string]int64, len(r.Evidence))
	for event, at := range r.Evidence {
		events[event] = at.Unix()
	}
	return &record{
		State: r.Outcome(), Recipient: r.Recipient, Attempts: r.Attempts, Reason: r.Reason, Error: r.Error,
		MessageID: r.MessageID, UniqueID: r.UniqueID, Created: r.Created.Unix(), Updated: r.Updated.Unix(), Events: events,
	}
}

// A place is a queue that the mail's job, or its dead letter, is in.
type place struct {
	Queue      string `json:"queue"`
	State      string `json:"state"`
	Deliveries int    `json:"deliveries"`
	DueMS      int64  `json:"dueMs"` // until the lease or the delay ends
}

func emailShow() *cobra.Command {
	var (
		out      output
		okqCfg   queue.Config
		storeCfg store.Config
	)
	return cmdutil.Tool{
		Use: "show ID", Short: "Show where a mail is and what became of it", Args: cobra.ExactArgs(1),
		Long: `Show where a mail is, by the id that Enqueue answered: which queue its job is in, what the workers recorded of it, and the
events that SendGrid sent. An original okq does not tell what is in its queues.`,
		Example:   `  postmaster email show 6920d5c40000000000000001 --mongo-addr mongo:27017`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&out, &okqCfg, &storeCfg},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			t := trace{ID: job.ID(strings.ToLower(args[0]))}
			if !t.ID.Valid() {
				return fmt.Errorf("%q is no mail's id: it must be 24 hex digits", args[0])
			}
			return withStore(cmd.Context(), &storeCfg, log, func(s *store.Stores) error {
				return withQueue(&okqCfg, log, func(client *okq.Client) error {
					if err := t.find(cmd.Context(), client, s.Stats); err != nil {
						return err
					}
					if out.json {
						return printJSON(cmd.OutOrStdout(), t)
					}
					return t.print(cmd.OutOrStdout())
				})
			})
		},
	}.Command()
}

var errUnknownMail = errors.New("no queue and no record knows this mail")

// find asks the queues first: a mail that goes from its queue into the record meanwhile is found there.
func (t *trace) find(ctx context.Context, client *okq.Client, records stats.Store) error {
	for _, q := range []string{job.QueueEmailHigh, job.QueueEmailNormal, job.QueueEmailDead} {
		find := client.Find
		if q == job.QueueEmailDead {
			find = func(ctx context.Context, queue, id string) (okq.Found, bool, error) {
				return deadletter.Find(ctx, client, queue, id)
			}
		}
		f, ok, err := find(ctx, q, string(t.ID))
		if errors.Is(err, okq.ErrNoFind) {
			break
		}
		if err != nil {
			return err
		}
		if ok {
			t.Queues = append(t.Queues, place{q, f.State, f.Deliveries, f.Due.Milliseconds()})
		}
	}
	found, err := records.Lookup(ctx, []job.ID{t.ID})
	if err != nil {
		return err
	}
	if t.rec = found[t.ID]; t.rec != nil {
		t.Record = newRecord(t.rec)
	}
	if t.rec == nil && len(t.Queues) == 0 {
		return errUnknownMail
	}
	return nil
}

func (t *trace) print(w io.Writer) error {
	rows := [][]string{{"id:", string(t.ID)}}
	for _, p := range t.Queues {
		text := fmt.Sprintf("%s, %s, deliveries %d", p.Queue, p.State, p.Deliveries)
		if p.DueMS > 0 {
			text += fmt.Sprintf(", for another %v", (time.Duration(p.DueMS) * time.Millisecond).Round(time.Second))
		}
		rows = append(rows, []string{"in queue:", text})
	}
	if r := t.rec; r != nil {
		rows = append(rows, []string{"state:", string(r.Outcome())}, []string{"recipient:", r.Recipient},
			[]string{"attempts:", fmt.Sprint(r.Attempts)}, []string{"created:", stamp(r.Created)}, []string{"updated:", stamp(r.Updated)})
		for _, field := range [][]string{{"reason:", r.Reason}, {"error:", r.Error}, {"message id:", r.MessageID}, {"unique id:", r.UniqueID}} {
			if field[1] != "" {
				rows = append(rows, field)
			}
		}
		for _, event := range slices.Sorted(maps.Keys(r.Evidence)) {
			rows = append(rows, []string{event + ":", stamp(r.Evidence[event])})
		}
	}
	return table(w, rows)
}
