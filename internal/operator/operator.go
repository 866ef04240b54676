// Package operator is the operator's commands: what died and why, what waits, where a mail is, who wants what. They
// talk to the servers that run, with the flags of the other programs, and say what they did on stdout.
package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/queue"
	"github.com/levenlabs/postmaster/internal/store"
	"github.com/levenlabs/postmaster/pkg/okq"
)

const envPrefix = "POSTMASTER_"

// Commands returns the commands, to be added to a root.
func Commands() []*cobra.Command {
	commands := []*cobra.Command{
		status(),
		cmdutil.Group("dead", "See what died and why; requeue it or drop it", deadList(), deadShow(), deadRequeue(), deadDrop()),
		cmdutil.Group("queue", "See how the queues stand; pause and resume them", queueStatus(), queuePeek(), queuePause(), queueResume()),
		cmdutil.Group("email", "Find a mail", emailFind(), emailShow()),
		cmdutil.Group("prefs", "See and change what a recipient opted out of", prefsGet(), prefsSet()),
	}
	for _, cmd := range commands {
		findRunning(cmd)
	}
	return commands
}

// output is the flag of how to print.
type output struct{ json bool }

func (o *output) AddFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&o.json, "json", false, "print JSON, an object a line, for other programs")
}

func (o *output) Validate() error { return nil }

func printJSON(w io.Writer, v any) error {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// table prints rows in columns.
func table(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(tw, "\t")
			}
			fmt.Fprint(tw, cell)
		}
		fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// stamp is a time for people.
func stamp(t time.Time) string {
	if t.IsZero() || t.Unix() == 0 {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// withQueue runs do with a client of okq.
func withQueue(cfg *queue.Config, log zerolog.Logger, do func(*okq.Client) error) error {
	client, err := cfg.Client(log)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(client)
}

var errNoStore = errors.New("--mongo-addr or --sqlite must be set to the store that the workers have, or --data-dir to the folder of a serve or demo that runs here")

// withStore runs do with the store, which must be configured.
func withStore(ctx context.Context, cfg *store.Config, log zerolog.Logger, do func(*store.Stores) error) error {
	if *cfg == (store.Config{}) {
		return errNoStore
	}
	stores, err := store.Open(ctx, *cfg, log)
	if err != nil {
		return err
	}
	return errors.Join(do(stores), stores.Close())
}
