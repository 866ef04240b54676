package redis

import (
	"context"
	_ "embed" // migrate_….lua
	"errors"
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/spf13/pflag"
)

// Migrate moves the queues that the original okq left in a Redis into ours, in the same Redis. It may be killed at any
// point and run again. For each queue:
//
//  1. copy it to keys that nobody serves; whatever an earlier run left there goes first
//  2. note in the original's slot that the copy is complete
//  3. make the copy the queue: one atomic step for each partition
//  4. remove the original and the note: one atomic step
//
// A run that finds the note goes on at 3.
type Migrate struct {
	Redis  Config
	DryRun bool
	Strays bool
}

// AddFlags defines the flags.
func (m *Migrate) AddFlags(fs *pflag.FlagSet) {
	m.Redis.AddFlags(fs)
	fs.BoolVar(&m.DryRun, "dry-run", false, "tell what there is and change nothing")
	fs.BoolVar(&m.Strays, "strays", false, "bring events back that the original lost between the two steps of a push, at the back of their queue")
}

// Validate names the flags that are wrong.
func (m *Migrate) Validate() error {
	err := m.Redis.Validate()
	if !m.Redis.Enabled() {
		err = errors.Join(err, errors.New("--redis-addr or --redis-sentinel-addr must be given"))
	}
	return err
}

// Run migrates all queues, and tells out about each.
func (m *Migrate) Run(ctx context.Context, out io.Writer) error {
	e, err := Open(m.Redis, zerolog.Nop(), prometheus.NewRegistry())
	if err != nil {
		return err
	}
	defer e.client.Close()
	defer e.members.leave()
	queues, err := originals(ctx, e.client)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d queues of the original okq\n", len(queues))
	for _, from := range queues {
		q := migration{e: e, from: from, out: out, strays: m.Strays}
		step := q.move
		if m.DryRun {
			step = q.describe
		}
		if err := step(ctx); err != nil {
			return fmt.Errorf("queue %q: %w", from.queue, err)
		}
		if err := e.members.stillIn(ctx); err != nil {
			return err
		}
	}
	return nil
}

// migration is one queue's.
type migration struct {
	e      *Engine
	from   original
	out    io.Writer
	strays bool // bring them back

	counts                            originalCounts
	copied, leased, back, stray, bare int64
}

func (m *migration) say(format string, args ...any) {
	fmt.Fprintf(m.out, "queue %q: %s\n", m.from.queue, fmt.Sprintf(format, args...))
}

func (m *migration) describe(ctx context.Context) error {
	c, err := m.from.count(ctx)
	if err == nil {
		m.say("%d queued, %d popped and not acknowledged, %d in no list", c.queued, c.claimed, c.strays())
	}
	return err
}

var errServed = errors.New("an okq serves it: consumers were there in the last 30 seconds; stop it first")

func (m *migration) move(ctx context.Context) error {
	served, err := m.from.served(ctx)
	if err != nil {
		return err
	}
	if served {
		return errServed
	}
	copied, err := m.from.isCopied(ctx)
	if err != nil {
		return err
	}
	if copied {
		m.say("was copied before, going on from there")
	} else if nothing, err := m.copy(ctx); err != nil || nothing {
		return err
	}
	there, err := m.publish(ctx)
	if err != nil {
		return err
	}
	if err := m.from.remove(ctx); err != nil {
		return fmt.Errorf("remove the original: %w", err)
	}
	m.say("moved")
	if there > 0 {
		m.say("%d were there already", there)
	}
	return nil
}
