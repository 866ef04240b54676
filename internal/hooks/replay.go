package hooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/levenlabs/postmaster/internal/archive"
	"github.com/levenlabs/postmaster/pkg/job"
)

// ReplayConfig says which POSTs of an archive are pushed once more.
type ReplayConfig struct {
	AcceptEnv    []string
	Environment  string
	Since, Until string // RFC 3339, or empty
	From         string // name of a file, or empty

	since, until time.Time
}

// AddFlags defines the flags.
func (c *ReplayConfig) AddFlags(fs *pflag.FlagSet) {
	addAcceptEnv(fs, &c.AcceptEnv)
	fs.StringVar(&c.Environment, "environment", job.DefaultEnv, "name of this environment, whose events are queued beside those of --accept-env")
	fs.StringVar(&c.Since, "since", "", "leave out POSTs that came before, such as 2026-01-31T15:04:05Z")
	fs.StringVar(&c.Until, "until", "", "leave out POSTs that came then or later")
	fs.StringVar(&c.From, "from", "", "leave out the files before this one, where a replay that was stopped said to go on")
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
	File     string // that was read last
	Posts    int    // that were pushed, or held nothing of ours
	Events   int    // that are in the queue again
	Last     time.Time
	Unusable int // POSTs that are no batch of events
}

// A replay is one run of Replay.
type replay struct {
	cfg      ReplayConfig
	filter   filter
	pusher   Pusher
	progress func(Replayed)
	done     Replayed
}

// Replay pushes the events of an archive once more, and calls progress after each file but the last. The fold of
// pm-worker makes that harmless, however often: an event that it knows changes nothing. So a replay that was stopped
// goes on with the file that it was in. Replay stops when ctx ends, and at the first POST that okq does not take; what
// it returns beside the error is how far it came.
func Replay(ctx context.Context, cfg ReplayConfig, dir string, pusher Pusher, progress func(Replayed)) (Replayed, error) {
	if err := cfg.Validate(); err != nil {
		return Replayed{}, err
	}
	r := &replay{cfg: cfg, filter: newFilter(accepts(cfg.AcceptEnv, cfg.Environment)), pusher: pusher, progress: progress}
	err := archive.Read(dir, cfg.From, func(p archive.Post) error {
		err := r.post(ctx, p)
		if err != nil {
			err = fmt.Errorf("POST of %s: %w; go on with --from %s", p.At.UTC().Format(time.RFC3339Nano), err, p.File)
		}
		return err
	})
	return r.done, err
}

func (r *replay) post(ctx context.Context, p archive.Post) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.done.File != p.File {
		if r.done.File != "" {
			r.progress(r.done)
		}
		r.done.File = p.File
	}
	if !r.cfg.wants(p.At) {
		return nil
	}
	b, err := r.batch(p)
	if err != nil {
		r.done.Unusable++
		return nil
	}
	if err := pushAll(ctx, r.pusher, b); err != nil {
		return err
	}
	r.done.Posts, r.done.Last = r.done.Posts+1, p.At
	for _, byResult := range b.counts {
		r.done.Events += byResult[accepted]
	}
	return nil
}

// batch reads a POST as it was read when it came.
func (r *replay) batch(p archive.Post) (*batch, error) {
	if !p.OneClick {
		return readBatch(p.Body, arrival{at: p.At, signed: p.Signed}, r.filter)
	}
	raws, err := job.SplitEvents(p.Body)
	if err != nil {
		return nil, err
	}
	b := &batch{}
	for _, raw := range raws {
		b.optOuts = append(b.optOuts, b.split([][]byte{raw})...)
	}
	b.counts[typeOther][accepted] = len(raws)
	return b, nil
}
