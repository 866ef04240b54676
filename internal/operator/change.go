package operator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/internal/queue"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// consent is the flags of a command that changes many things.
type consent struct{ all, yes bool }

func (c *consent) AddFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&c.all, "all", false, "all letters that the other flags leave")
	fs.BoolVar(&c.yes, "yes", false, "do not ask")
}

func (c *consent) Validate() error { return nil }

// errNotTold guards against a slip: "dead drop" alone drops nothing.
var errNotTold = errors.New("which letters? give ids, or a filter such as --reason, or --all")

// A change is what a command does to letters.
type change struct {
	verb, done string // "requeue", "requeued"
	which      letters
	consent    consent
	out        output
	queue      queue.Config
	asksOfOne  bool // also before a single one that was named
	do         func(context.Context, *deadletter.Letter) error
}

// run finds the letters, asks, and changes one after the other. A letter that cannot be changed does not stop the rest.
func (c *change) run(cmd *cobra.Command, client *okq.Client, ids []string) error {
	c.which.filter.IDs = ids
	if c.which.filter.Empty() && !c.consent.all {
		return errNotTold
	}
	chosen, err := c.choose(cmd.Context(), client)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		return errors.New("no such dead letters")
	}
	if !c.consent.yes && (len(chosen) > 1 || c.asksOfOne) && !agreed(cmd, fmt.Sprintf("%s %d of %s?", c.verb, len(chosen), c.which.queue)) {
		return errors.New("nothing was done")
	}
	failed := 0
	for i := range chosen {
		l := &chosen[i]
		err := c.do(cmd.Context(), l)
		if err != nil {
			failed++
		}
		if err := c.tell(cmd, l, err); err != nil {
			return err
		}
		if cmd.Context().Err() != nil {
			return fmt.Errorf("stopped after %d of %d", i+1, len(chosen))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d were not %s", failed, len(chosen), c.done)
	}
	return nil
}

func (c *change) choose(ctx context.Context, client *okq.Client) ([]deadletter.Letter, error) {
	var chosen []deadletter.Letter
	if ids := c.which.filter.IDs; len(ids) > 0 {
		filter := c.which.filter
		filter.IDs = nil // an email's id means its newest letter, which may have another
		for _, id := range ids {
			l, ok, err := deadletter.Get(ctx, client, c.which.queue, id)
			if err == nil && !ok {
				err = fmt.Errorf("no letter %q in %s", id, c.which.queue)
			}
			if err != nil {
				return nil, err
			}
			if filter.Matches(&l) {
				chosen = append(chosen, l)
			}
		}
		return chosen, nil
	}
	for l, err := range deadletter.All(ctx, client, c.which.queue) {
		if err != nil {
			return nil, err
		}
		if c.which.filter.Matches(&l) {
			chosen = append(chosen, l)
		}
	}
	return chosen, nil
}

func (c *change) tell(cmd *cobra.Command, l *deadletter.Letter, err error) error {
	w := cmd.OutOrStdout()
	switch {
	case c.out.json && err != nil:
		return printJSON(w, map[string]string{"id": l.Event, "error": err.Error()})
	case c.out.json:
		return printJSON(w, map[string]string{"id": l.Event, "done": c.done, "queue": l.Queue})
	case err != nil:
		_, err = fmt.Fprintf(w, "%s not %s: %v\n", l.Event, c.done, err)
	default:
		_, err = fmt.Fprintf(w, "%s %s\n", l.Event, c.done)
	}
	return err
}

// agreed asks on the terminal. No answer is no.
func agreed(cmd *cobra.Command, question string) bool {
	fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", question)
	answer, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n') // what came before an error counts
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true
	}
	return false
}
