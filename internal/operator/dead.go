package operator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/internal/queue"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// limit is the flag of how many to list.
type limit struct{ n int }

func (l *limit) AddFlags(fs *pflag.FlagSet) {
	fs.IntVar(&l.n, "limit", 0, "list so many at most; 0 for all")
}

func (l *limit) Validate() error {
	if l.n < 0 {
		return fmt.Errorf("--limit must not be negative")
	}
	return nil
}

func deadList() *cobra.Command {
	var (
		which  letters
		out    output
		most   limit
		okqCfg queue.Config
	)
	cmd := cmdutil.Tool{
		Use: "list", Short: "List dead letters", Args: cobra.NoArgs,
		Long: `List dead letters: id, when it died, of what, the recipient, and the details. It takes none of them away.
An original okq shows letters only to those who pop them: there they are popped, and given back at once.`,
		Example: `  postmaster dead list
  postmaster dead list --reason rejected --newer-than 24h
  postmaster dead list --json | jq -r .job.to | sort | uniq -c`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&which, &out, &most, &okqCfg},
		Run: func(cmd *cobra.Command, _ []string, log zerolog.Logger) error {
			return withQueue(&okqCfg, log, func(client *okq.Client) error {
				return list(cmd, client, &which, &out, most.n)
			})
		},
	}.Command()
	which.complete(cmd)
	return cmd
}

func list(cmd *cobra.Command, client *okq.Client, which *letters, out *output, most int) error {
	rows := [][]string{{"ID", "DIED", "REASON", "RECIPIENT", "DETAIL"}}
	n := 0
	for letter, err := range deadletter.All(cmd.Context(), client, which.queue) {
		if err != nil {
			return err
		}
		if !which.filter.Matches(&letter) {
			continue
		}
		if out.json {
			if err := printJSON(cmd.OutOrStdout(), letter.DeadLetter); err != nil {
				return err
			}
		} else {
			rows = append(rows, row(&letter))
		}
		if n++; n == most {
			break
		}
	}
	if out.json {
		return nil
	}
	if n == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "no dead letters")
		return nil
	}
	return table(cmd.OutOrStdout(), rows)
}

func deadShow() *cobra.Command {
	var (
		which  letters
		out    output
		okqCfg queue.Config
	)
	cmd := cmdutil.Tool{
		Use: "show ID", Short: "Show a dead letter, with the whole job", Args: cobra.ExactArgs(1),
		Long: "Show a dead letter: why it died, what SendGrid answered, and the whole job.",
		Example: `  postmaster dead show 6920d5c40000000000000001
  postmaster dead show 6920d5c40000000000000001 --json | jq .errors`,
		EnvPrefix: envPrefix, Config: cmdutil.Union{&which, &out, &okqCfg},
		Run: func(cmd *cobra.Command, args []string, log zerolog.Logger) error {
			return withQueue(&okqCfg, log, func(client *okq.Client) error {
				letter, ok, err := deadletter.Get(cmd.Context(), client, which.queue, args[0])
				switch {
				case err != nil:
					return err
				case !ok:
					return fmt.Errorf("no letter %q in %s", args[0], which.queue)
				case out.json:
					return printJSON(cmd.OutOrStdout(), letter.DeadLetter)
				}
				return show(cmd.OutOrStdout(), &letter)
			})
		},
	}.Command()
	which.complete(cmd)
	cmd.ValidArgsFunction = ask(&okqCfg, letterIDs(&which.queue))
	return cmd
}

func show(w io.Writer, l *deadletter.Letter) error {
	rows := [][]string{
		{"id:", l.Event}, {"died:", stamp(time.Unix(l.Died, 0))}, {"reason:", l.Reason}, {"detail:", l.Detail},
		{"queue:", l.Queue}, {"attempts:", fmt.Sprint(l.Attempts)}, {"deliveries:", fmt.Sprint(l.Deliveries)},
		{"first attempt:", stamp(time.Unix(l.FirstAttempt, 0))},
	}
	for _, e := range l.Errors {
		rows = append(rows, []string{"SendGrid:", fmt.Sprintf("%d %s %s", e.Status, e.Field, e.Message)})
	}
	if err := table(w, append(rows, []string{"job:"})); err != nil {
		return err
	}
	return pretty(w, l.Contents())
}

// pretty prints JSON indented, and other bytes quoted.
func pretty(w io.Writer, contents []byte) error {
	var b bytes.Buffer
	if json.Indent(&b, contents, "", "  ") != nil {
		b.Reset()
		fmt.Fprintf(&b, "%q", contents)
	}
	b.WriteByte('\n')
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
