package stats

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/levenlabs/postmaster/pkg/job"
)

// Begin implements Store. A first attempt is an insert, a later one an update that matches only where the ledger
// stands at the attempt before; what neither inserted nor matched is looked at again, in case it is our own from a
// call whose answer got lost.
func (m *Mongo) Begin(ctx context.Context, attempts []Attempt) ([]bool, error) {
	won, err := m.begin(ctx, attempts)
	if err != nil {
		return nil, available(fmt.Errorf("begin attempts: %w", err))
	}
	return won, nil
}

func (m *Mongo) begin(ctx context.Context, attempts []Attempt) ([]bool, error) {
	won := make([]bool, len(attempts))
	var inserts []mongo.WriteModel
	var changes ledger
	var first, later []int // the attempts that are inserted and updated
	for i, a := range attempts {
		id, err := objectID(a.ID)
		if err != nil {
			return nil, err
		}
		if a.Number == 1 {
			inserts, first = append(inserts, mongo.NewInsertOneModel().SetDocument(newDocument(id, a))), append(first, i)
		} else {
			changes.add(a.Number, beginnable(a.Number-1), id, begun(a))
			later = append(later, i)
		}
	}
	matched, met, err := m.write(ctx, inserts, changes.updates())
	if err != nil {
		return nil, err
	}
	var contested []int
	for n, i := range first {
		if won[i] = !slices.Contains(met, n); !won[i] {
			contested = append(contested, i)
		}
	}
	met = contested
	for _, i := range later {
		if won[i] = matched == len(later); !won[i] {
			contested = append(contested, i)
		}
	}
	return won, m.contest(ctx, attempts, contested, met, won)
}

// contest decides the attempts whose writing told nothing. Those in met are first attempts of mails that have a
// record, which may be one without an attempt.
func (m *Mongo) contest(ctx context.Context, attempts []Attempt, contested, met []int, won []bool) error {
	if len(contested) == 0 {
		return nil
	}
	var changes ledger
	for _, i := range met {
		id, err := objectID(attempts[i].ID)
		if err != nil {
			return err
		}
		changes.add(1, beginnable(0), id, begun(attempts[i]))
	}
	if _, _, err := m.write(ctx, nil, changes.updates()); err != nil {
		return err
	}
	ids := make([]job.ID, len(contested))
	for n, i := range contested {
		ids[n] = attempts[i].ID
	}
	entries, err := m.load(ctx, ids)
	if err != nil {
		return err
	}
	for _, i := range contested {
		e, a := entries[attempts[i].ID], attempts[i]
		won[i] = e != nil && !e.accepted() && !e.State.final() && e.Attempts == a.Number && e.Token == a.Token
	}
	return nil
}

// open matches a record that stands at the attempt and is not SendGrid's: entry.accepted in MongoDB's words.
func open(number int) bson.D { return standsAt(number, Accepted) }

// beginnable matches a record that stands at the attempt and may be attempted again.
func beginnable(number int) bson.D { return standsAt(number, append([]State{Accepted}, finals...)...) }

func standsAt(number int, but ...State) bson.D {
	return bson.D{
		{Key: "at", Value: number},
		{Key: "st", Value: bson.D{{Key: "$nin", Value: but}}},
		{Key: "s", Value: int64(0)},
		{Key: "ev", Value: bson.D{{Key: "$exists", Value: false}}},
	}
}

// begun are the fields that an attempt changes.
func begun(a Attempt) bson.D {
	return bson.D{
		{Key: "st", Value: Attempting}, {Key: "at", Value: a.Number}, {Key: "ta", Value: a.At}, {Key: "tok", Value: a.Token},
		{Key: "ts", Value: a.At},
	}
}
