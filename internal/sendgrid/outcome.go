package sendgrid

import (
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// Outcome is what is known of a mail after a POST.
type Outcome int

// The outcomes. Only Unknown leaves open whether SendGrid has the mail.
const (
	Accepted Outcome = iota + 1 // SendGrid has it
	NotSent                     // SendGrid does not have it; the same POST may work later
	Limited                     // nor here: the account sends too fast, until Result.Until
	Refused                     // nor here: the key, the account or the configuration is at fault, not the mail
	Rejected                    // nor here, and the same POST will never work
	Unknown                     // the POST may have been taken
)

func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case NotSent:
		return "not sent"
	case Limited:
		return "limited"
	case Refused:
		return "refused"
	case Rejected:
		return "rejected"
	case Unknown:
		return "unknown"
	}
	return "none"
}

// A Result is what became of one POST.
type Result struct {
	Outcome   Outcome
	Status    int                 // of SendGrid's answer; 0 when there was none
	MessageID string              // X-Message-Id; may be missing from an accepted mail
	Errors    []job.ProviderError // what SendGrid said about a mail it did not take
	Until     time.Time           // Limited: when the limit ends; zero when SendGrid did not say
	Err       error               // why there was no answer
}

// Reason says in a few words why the mail was not accepted.
func (r Result) Reason() string {
	switch {
	case len(r.Errors) > 0:
		return r.Errors[0].Message
	case r.Err != nil:
		return r.Err.Error()
	}
	return r.Outcome.String()
}
