package sendcontrol

import (
	"math/rand/v2"
	"time"

	"github.com/levenlabs/postmaster/internal/sendgrid"
)

// A limit is a pause of all emails that SendGrid asked for by 429.
type limit struct {
	until time.Time
	n     int // in a row
}

const (
	firstPause = time.Second
	maxPause   = time.Minute // without a time that SendGrid named
)

// limitLocked begins a pause, unless emails that were in flight when it began only say the same again. It returns for how
// long to release the email.
func (c *Control) limitLocked(now time.Time, r sendgrid.Result) time.Duration {
	l := &c.limit
	if !now.Before(l.until) || r.Until.After(l.until) {
		l.n++
		until := r.Until
		if until.IsZero() {
			until = now.Add(growing(firstPause, l.n, maxPause))
		}
		// Workers that share the account should not all come back in the same instant.
		l.until = until.Add(rand.N(250 * time.Millisecond))
		c.opts.Pauses.Inc()
		c.opts.Log.Warn().Time("until", l.until).Msg("rate limited by SendGrid, sending pauses")
		c.changedLocked(now)
	}
	return l.until.Sub(now) + rand.N(500*time.Millisecond)
}
