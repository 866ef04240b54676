package prefs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
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
	m.keys.Stop()
	return nil
}

// SetFlags implements Store.
func (m *Mongo) SetFlags(ctx context.Context, address string, flags int64, at time.Time) error {
	return m.update(ctx, "set flags", []string{address}, func(_ string, d *document) bool {
		return d.setFlags(flags, at)
	})
}

// Move implements Store. The old address is marked last, and only if it still has what was copied: an OptOut that was
// folded before is copied, and one that is folded after finds the mark.
func (m *Mongo) Move(ctx context.Context, oldAddress, newAddress string, at time.Time) error {
	if job.Key(oldAddress) == job.Key(newAddress) {
		return nil
	}
	if err := m.keys.finished(); err != nil {
		return err
	}
	for round := range maxRounds {
		old, err := m.one(ctx, oldAddress)
		if err != nil {
			return available(fmt.Errorf("move flags: %w", err))
		}
		if err := m.copyTo(ctx, &old.document, newAddress); err != nil {
			return err
		}
		if !old.moveTo(job.Key(newAddress), millisecond(at)) {
			return nil
		}
		done, err := m.store(ctx, old.models(copies(oldAddress)))
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

// copyTo gives address the opt-outs of old, and those it was moved to in turn.
func (m *Mongo) copyTo(ctx context.Context, old *document, address string) error {
	seen := map[string]bool{}
	for next := []string{address}; len(next) > 0; {
		var moved []string
		err := m.update(ctx, "move flags", next, func(key string, d *document) bool {
			seen[key] = true
			moved = slices.AppendSeq(moved, maps.Keys(d.moved))
			return d.take(old)
		})
		if err != nil {
			return err
		}
		next = slices.DeleteFunc(moved, func(key string) bool { return seen[key] })
	}
	return nil
}

// Record implements Store.
func (m *Mongo) Record(ctx context.Context, incidents []Incident) (int, error) {
	lost := 0
	spread := newSpread(arrived(incidents, time.Now()))
	for lists := spread.next(); lists != nil; lists = spread.next() {
		for some := range slices.Chunk(lists.addresses, maxTogether) {
			losses := map[string]int{} // of the last try
			err := m.update(ctx, "record incidents", some, func(key string, d *document) bool {
				list := lists.byKey[key]
				changed := d.recordAll(list)
				losses[key] = d.lost(list)
				spread.from(list, d)
				return changed
			})
			if err != nil {
				return 0, err
			}
			for _, n := range losses {
				lost += n
			}
		}
	}
	return lost, nil
}

// update changes the documents of addresses; one that does not exist is an empty one. change is called again after
// another writer got ahead, and reports that it has nothing to do where it already took effect.
func (m *Mongo) update(ctx context.Context, doing string, addresses []string, change func(string, *document) bool) error {
	for round := range maxRounds {
		recipients, err := m.load(ctx, addresses)
		if err != nil {
			return available(fmt.Errorf("%s: %w", doing, err))
		}
		var models []mongo.WriteModel
		spelled := byKey(addresses)
		for _, key := range slices.Sorted(maps.Keys(spelled)) { // two writers of the same recipients must not wait in a circle
			r := recipients[key]
			if r == nil {
				r = &recipient{key: key}
			}
			copies := copiesOf(spelled[key])
			if change(key, &r.document) || !r.agrees(copies) {
				models = append(models, r.models(copies)...)
			}
		}
		done, err := m.store(ctx, models)
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
func (m *Mongo) store(ctx context.Context, models []mongo.WriteModel) (bool, error) {
	if len(models) == 0 {
		return true, nil
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
