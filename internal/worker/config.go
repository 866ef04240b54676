package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/cmdutil"
	"github.com/levenlabs/postmaster/pkg/job"
)

// Config is what a worker consumes and how.
type Config struct {
	Queues        []string
	Concurrency   int
	Rate          float64
	DrainWait     time.Duration
	SendTimeout   time.Duration
	Lease         time.Duration
	MaxAttempts   int
	MaxDeliveries int
	GiveUpAfter   time.Duration
	Unknown       string
	EvidenceWait  time.Duration
	Environment   string
}

// AddFlags defines the worker's flags.
func (c *Config) AddFlags(fs *pflag.FlagSet) {
	cmdutil.ListVar(fs, &c.Queues, "queues", []string{job.QueueEmailHigh, job.QueueEmailNormal, job.QueueStats}, "queues to consume")
	fs.IntVar(&c.Concurrency, "concurrency", 128, "mails being sent at a time, at most")
	fs.Float64Var(&c.Rate, "rate", 0, "mails sent per second, at most; 0 for no limit")
	fs.DurationVar(&c.DrainWait, "drain-wait", 20*time.Second, "how long running jobs may take to finish when the process is stopped")
	fs.DurationVar(&c.SendTimeout, "send-timeout", 15*time.Second, "how long SendGrid may take for a mail")
	fs.DurationVar(&c.Lease, "lease", 30*time.Second, "how long okq waits for a worker that fell silent before it hands its jobs to another")
	fs.IntVar(&c.MaxAttempts, "max-attempts", 12, "attempts of unknown outcome after which an email becomes a dead letter; attempts that surely failed do not count")
	fs.DurationVar(&c.GiveUpAfter, "give-up-after", 72*time.Hour, "how long an email is tried again whose attempts surely fail, from the first on, without time in which its sending is stopped; then it becomes a dead letter")
	fs.IntVar(&c.MaxDeliveries, "max-deliveries", 12, "deliveries of a job without a record of it after which it becomes a dead letter: it may kill the process")
	fs.StringVar(&c.Unknown, "unknown", job.OnUnknownResend, "what to do with a mail that SendGrid may have and sent no event for: resend, or hold it as a dead letter")
	fs.DurationVar(&c.EvidenceWait, "evidence-wait", 2*time.Minute, "how long to wait for an event of such a mail")
	fs.StringVar(&c.Environment, "environment", job.DefaultEnv, "name of this environment, such as production: it marks the mails, and so their events")
}

// Validate names every flag that is wrong.
//
// A send must end before the process is killed (send-timeout < drain-wait < the supervisor's own patience) and before
// okq hands the job to another worker (send-timeout < lease), else a slow send is made twice.
func (c *Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(len(c.Queues) == 0, "--queues must name at least one queue")
	for _, q := range c.Queues {
		fault(weights[q] == 0, "--queues: %q is not one of %s, %s, %s", q, job.QueueEmailHigh, job.QueueEmailNormal, job.QueueStats)
	}
	fault(c.Concurrency < 1 || c.Concurrency > maxConcurrency, "--concurrency must be 1 to %d", maxConcurrency)
	fault(!(c.Rate >= 0) || c.Rate > maxRate, "--rate must be 0 to %d", int(maxRate))
	fault(c.SendTimeout < time.Second, "--send-timeout must be at least 1s")
	fault(c.DrainWait <= c.SendTimeout, "--drain-wait must be more than --send-timeout (%v)", c.SendTimeout)
	fault(c.Lease <= c.SendTimeout, "--lease must be more than --send-timeout (%v)", c.SendTimeout)
	fault(c.MaxAttempts < 1, "--max-attempts must be at least 1")
	fault(c.GiveUpAfter < time.Second, "--give-up-after must be at least 1s")
	fault(c.MaxDeliveries < 2, "--max-deliveries must be at least 2")
	fault(c.Unknown != job.OnUnknownResend && c.Unknown != job.OnUnknownHold, "--unknown must be resend or hold, not %q", c.Unknown)
	fault(c.EvidenceWait < 0, "--evidence-wait must not be negative")
	fault(c.Environment == "" || len(c.Environment) > maxEnvironment, "--environment must have 1 to %d bytes", maxEnvironment)
	return errors.Join(errs...)
}

const (
	maxConcurrency = 10_000
	maxRate        = 1_000_000
	maxEnvironment = 64 // it is on every mail, within SendGrid's 10,000 bytes of custom arguments
)

// weights are the queues that a worker knows, and how much each is preferred where they are popped together.
var weights = map[string]int{job.QueueEmailHigh: 10, job.QueueEmailNormal: 1, job.QueueStats: 1}

// inHand is how many mails of a queue may be taken at a time, at most; starts.hand says how many are worth it. With a rate
// it is no more than half a second's worth.
func (c *Config) inHand() int {
	n := mostInHand(c.Concurrency)
	if c.Rate > 0 {
		n = min(n, max(int(c.Rate/2), 1))
	}
	return n
}
