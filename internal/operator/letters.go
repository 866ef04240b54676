package operator

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/deadletter"
	"github.com/levenlabs/postmaster/pkg/job"
)

// letters says which dead letters a command is about.
type letters struct {
	queue  string
	filter deadletter.Filter
}

func (l *letters) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&l.queue, "queue", job.QueueEmailDead, "dead letters of mails (email-dead) or of webhook events (stats-dead)")
	fs.StringVar(&l.filter.Reason, "reason", "", "only those that died of this, as list shows it")
	fs.StringVar(&l.filter.Recipient, "recipient", "", "only mails to this address")
	fs.DurationVar(&l.filter.Older, "older-than", 0, "only those that died at least so long ago (90m, 48h)")
	fs.DurationVar(&l.filter.Newer, "newer-than", 0, "only those that died at most so long ago")
}

func (l *letters) Validate() error {
	var errs []error
	if l.queue != job.QueueEmailDead && l.queue != job.QueueStatsDead {
		errs = append(errs, errors.New("--queue must be email-dead or stats-dead"))
	}
	if l.filter.Older < 0 || l.filter.Newer < 0 {
		errs = append(errs, errors.New("--older-than and --newer-than must not be negative"))
	}
	return errors.Join(errs...)
}

// complete has the shell know the flags' values.
func (l *letters) complete(cmd *cobra.Command) {
	reasons := fixed(job.ReasonRejected, job.ReasonUndecodable, job.ReasonInvalid, job.ReasonAttempts, job.ReasonGivenUp, job.ReasonDeliveries,
		job.ReasonUnknown)
	for flag, f := range map[string]completeFunc{"queue": fixed(job.QueueEmailDead, job.QueueStatsDead), "reason": reasons} {
		if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
			panic(err) // the flag is not defined
		}
	}
}

// row is a letter in the list.
func row(l *deadletter.Letter) []string {
	recipient := l.Recipient()
	if recipient == "" {
		recipient = "-"
	}
	return []string{l.Event, stamp(time.Unix(l.Died, 0)), l.Reason, recipient, l.Detail}
}
