package hooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/archive"
)

// ReplayConfig says which POSTs of an archive are pushed once more.
type ReplayConfig struct {
	AcceptEnv    []string
	Since, Until string // RFC 3339, or empty

	since, until time.Time
}

// AddFlags defines the flags.
func (c *ReplayConfig) AddFlags(fs *pflag.FlagSet) {
	addAcceptEnv(fs, &c.AcceptEnv)
	fs.StringVar(&c.Since, "since", "", "leave out POSTs that came before, such as 2026-01-31T15:04:05Z")
	fs.StringVar(&c.Until, "until", "", "leave out POSTs that came then or later")
}

// Validate joins all faults.
func (c *ReplayConfig) Validate() error {
	var errs []error
	parse := func(flag, value string, into *time.Time) {
		if value == "" {
			return
		}
		t, err := time.Parse(time.RFC3339, value)
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %q is not a time like 2026-01-31T15:04:05Z", flag, value))
		}
		*into = t
	}
	parse("since", c.Since, &c.since)
	parse("until", c.Until, &c.until)
	return errors.Join(append(errs, validAcceptEnv(c.AcceptEnv))...)
}

func (c *ReplayConfig) wants(at time.Time) bool {
	return !at.Before(c.since) && (c.until.IsZero() || at.Before(c.until))
}

// Replayed counts what a replay did.
type Replayed struct {
	Posts    int // that were pushed, or held nothing of ours
	Events   int // that are in the queue again
	Last     time.Time
	Unusable int // POSTs that are no batch of events
}

// Replay pushes the events of an archive once more. The fold of pm-worker makes that harmless, however often: an event
// that it knows changes nothing. Replay stops at the first POST that okq does not take; what it returns beside the
// error is how far it came.
func Replay(ctx context.Context, cfg ReplayConfig, dir string, pusher Pusher) (Replayed, error) {
	var done Replayed
	if err := cfg.Validate(); err != nil {
		return done, err
	}
	f := newFilter(cfg.AcceptEnv)
	err := archive.Read(dir, func(p archive.Post) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !cfg.wants(p.At) {
			return nil
		}
		b, err := readBatch(p.Body, f)
		if err != nil {
			done.Unusable++
			return nil
		}
		if err := push(ctx, pusher, b.events); err != nil {
			return fmt.Errorf("POST of %s: %w", p.At.UTC().Format(time.RFC3339Nano), err)
		}
		done.Posts, done.Last = done.Posts+1, p.At
		for _, byResult := range b.counts {
			done.Events += byResult[accepted]
		}
		return nil
	})
	return done, err
}
