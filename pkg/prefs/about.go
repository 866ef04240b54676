package prefs

import (
	"cmp"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// About is what is known of a recipient.
type About struct {
	Flags       int64 // opt-outs; job.FlagsAllAllowed when there are none
	Bounces     []time.Time
	SpamReports []time.Time
	Updated     time.Time // zero: nothing is known
}

func (d *document) about() About {
	return About{
		Flags: cmp.Or(d.flags, job.FlagsAllAllowed), Bounces: d.bounces, SpamReports: d.spam, Updated: d.updated,
	}
}
