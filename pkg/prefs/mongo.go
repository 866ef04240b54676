package prefs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/levenlabs/postmaster/pkg/database"
)

// Mongo keeps preferences in the collection "emails". A write replaces what was read before only if nobody else has
// written in between, and starts over if somebody has.
type Mongo struct {
	emails *mongo.Collection
	keys   *backfill
}

const (
	// maxRounds bounds how often a write starts over; each time, another writer of the same recipient got ahead.
	maxRounds = 50
	// maxTogether bounds how many recipients one write takes.
	maxTogether = 500
)

// errContention is what remains when a write has started over too often.
var errContention = errors.New("others keep changing the same recipients")

// NewMongo returns a store over db, whose writes must be acknowledged by a majority. Close ends its back-fill.
func NewMongo(ctx context.Context, db *mongo.Database, log zerolog.Logger) (*Mongo, error) {
	emails := db.Collection("emails")
	keys, err := startBackfill(ctx, emails, log)
	if err != nil {
		return nil, available(err)
	}
	return &Mongo{emails, keys}, nil
}

// Close ends the back-fill, which goes on when the store is opened again.
func (m *Mongo) Close() error {
	m.keys.stop()
	return nil
}

// SetFlags implements Store.
func (m *Mongo) SetFlags(ctx context.Context, address string, flags int64, at time.Time) error {
	return m.update(ctx, "set flags", []string{Key(address)}, func(_ string, d *document) bool {
		return d.setFlags(flags, at)
	})
}

// Move implements Store. The old address is cleared only if it still has what was copied.
func (m *Mongo) Move(ctx context.Context, oldAddress, newAddress string) error {
	from, to := Key(oldAddress), Key(newAddress)
	if from == to {
		return nil
	}
	if err := m.keys.finished(); err != nil {
		return err
	}
	for round := range maxRounds {
		recipients, err := m.load(ctx, []string{from})
		if err != nil {
			return available(fmt.Errorf("move flags: %w", err))
		}
		old := recipients[from]
		if old == nil || !old.restricts() {
			return nil
		}
		err = m.update(ctx, "move flags", []string{to}, func(_ string, d *document) bool { return d.take(&old.document) })
		if err != nil {
			return err
		}
		old.clear(time.Now())
		done, err := m.store(ctx, []*recipient{old})
		if err != nil {
			return available(fmt.Errorf("move flags: %w", err))
		}
		if done {
			return nil
		}
		if err := pause(ctx, round); err != nil {
			return available(fmt.Errorf("move flags: %w", err))
		}
	}
	return fmt.Errorf("%w: move flags: %w", ErrUnavailable, errContention)
}

// Record implements Store.
func (m *Mongo) Record(ctx context.Context, incidents []Incident) (int, error) {
	lists := byRecipient(incidents)
	keys := make([]string, 0, len(lists))
	for key := range lists {
		keys = append(keys, key)
	}
	slices.Sort(keys) // so that two writers of the same recipients do not wait for each other in a circle
	lost := 0
	for some := range slices.Chunk(keys, maxTogether) {
		losses := map[string]int{} // of the last try
		err := m.update(ctx, "record incidents", some, func(key string, d *document) bool {
			changed := d.recordAll(lists[key])
			losses[key] = d.lost(lists[key])
			return changed
		})
		if err != nil {
			return 0, err
		}
		for _, n := range losses {
			lost += n
		}
	}
	return lost, nil
}

// update changes the documents of keys; one that does not exist is an empty one. change is called again after another
// writer got ahead, and reports that it has nothing to do where it already took effect.
func (m *Mongo) update(ctx context.Context, doing string, keys []string, change func(string, *document) bool) error {
	for round := range maxRounds {
		recipients, err := m.load(ctx, keys)
		if err != nil {
			return available(fmt.Errorf("%s: %w", doing, err))
		}
		var changed []*recipient
		for _, key := range keys {
			r := recipients[key]
			if r == nil {
				r = &recipient{key: key}
			}
			if change(key, &r.document) {
				changed = append(changed, r)
			}
		}
		done, err := m.store(ctx, changed)
		if err != nil {
			return available(fmt.Errorf("%s: %w", doing, err))
		}
		if done {
			return nil
		}
		if err := pause(ctx, round); err != nil {
			return available(fmt.Errorf("%s: %w", doing, err))
		}
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, errContention)
}

// store writes documents back and tells whether all of them were as they had been read.
func (m *Mongo) store(ctx context.Context, recipients []*recipient) (bool, error) {
	if len(recipients) == 0 {
		return true, nil
	}
	models := make([]mongo.WriteModel, len(recipients))
	for i, r := range recipients {
		models[i] = r.model()
	}
	result, err := m.emails.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	met, err := database.Duplicates(err)
	if err != nil {
		return false, err
	}
	return len(met) == 0 && int(result.MatchedCount+result.InsertedCount) == len(models), nil
}

// pause lets another writer finish, longer each time and never as long as the other one does.
func pause(ctx context.Context, round int) error {
	timer := time.NewTimer(rand.N(time.Duration(min(round, 10)+1) * 5 * time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
