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
	if len(attempts) == 0 {
		return nil, nil
	}
	models := make([]mongo.WriteModel, len(attempts))
	won := make([]bool, len(attempts))
	var first, later []int
	for i, a := range attempts {
		id, err := objectID(a.ID)
		if err != nil {
			return nil, err
		}
		if a.Number == 1 {
			models[i], first = mongo.NewInsertOneModel().SetDocument(newDocument(id, a)), append(first, i)
		} else {
			models[i], later = beginUpdate(id, a), append(later, i)
		}
	}
	result, met, err := m.write(ctx, models)
	if err != nil {
		return nil, err
	}
	for _, i := range first {
		won[i] = !slices.Contains(met, i)
	}
	contested := met
	if int(result.MatchedCount) == len(later) {
		for _, i := range later {
			won[i] = true
		}
	} else {
		contested = append(contested, later...)
	}
	if len(contested) == 0 {
		return won, nil
	}
	return won, m.contest(ctx, attempts, contested, met, won)
}

// contest decides the attempts whose writing told nothing. Those in met are first attempts of mails that have a
// record, which may be one without an attempt.
func (m *Mongo) contest(ctx context.Context, attempts []Attempt, contested, met []int, won []bool) error {
	var models []mongo.WriteModel
	for _, i := range met {
		id, err := objectID(attempts[i].ID)
		if err != nil {
			return err
		}
		models = append(models, beginUpdate(id, attempts[i]))
	}
	if len(models) > 0 {
		if _, _, err := m.write(ctx, models); err != nil {
			return err
		}
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
		won[i] = e != nil && !e.accepted() && e.Attempts == a.Number && e.Token == a.Token
	}
	return nil
}

// open matches a record that stands at the attempt and is not SendGrid's: entry.accepted in MongoDB's words.
func open(id bson.ObjectID, number int) bson.D {
	return bson.D{
		{Key: "_id", Value: id},
		{Key: "at", Value: number},
		{Key: "st", Value: bson.D{{Key: "$ne", Value: Accepted}}},
		{Key: "s", Value: int64(0)},
		{Key: "ev", Value: bson.D{{Key: "$exists", Value: false}}},
	}
}

func beginUpdate(id bson.ObjectID, a Attempt) mongo.WriteModel {
	return mongo.NewUpdateOneModel().SetFilter(open(id, a.Number-1)).SetUpdate(bson.D{
		{Key: "$set", Value: bson.D{
			{Key: "st", Value: Attempting}, {Key: "at", Value: a.Number}, {Key: "ta", Value: a.At},
			{Key: "tok", Value: a.Token},
		}},
		{Key: "$max", Value: bson.D{{Key: "ts", Value: a.At}}},
	})
}

// Settle implements Store. Nearly always the record is there, so a plain update is tried first.
func (m *Mongo) Settle(ctx context.Context, settlements []Settlement) error {
	if err := m.settle(ctx, settlements); err != nil {
		return available(fmt.Errorf("settle attempts: %w", err))
	}
	return nil
}

func (m *Mongo) settle(ctx context.Context, settlements []Settlement) error {
	if len(settlements) == 0 {
		return nil
	}
	updates := make([]mongo.WriteModel, len(settlements))
	upserts := make([]mongo.WriteModel, len(settlements))
	for i, s := range settlements {
		id, err := objectID(s.ID)
		if err != nil {
			return err
		}
		updates[i], upserts[i] = settleModels(id, s)
	}
	result, _, err := m.write(ctx, updates)
	if err != nil || int(result.MatchedCount) == len(updates) {
		return err
	}
	// Some have no record, or do not stand. An upsert of the latter meets their record, and so does one that someone
	// else made in between: for that the update is due once more.
	_, met, err := m.write(ctx, upserts)
	if err != nil || len(met) == 0 {
		return err
	}
	again := make([]mongo.WriteModel, len(met))
	for n, i := range met {
		again[n] = updates[i]
	}
	_, _, err = m.write(ctx, again)
	return err
}

// settleModels returns the update of a record that is there, and the same that makes one if it is not.
func settleModels(id bson.ObjectID, s Settlement) (update, upsert *mongo.UpdateOneModel) {
	set := bson.D{{Key: "st", Value: s.State}, {Key: "fr", Value: s.Free}, {Key: "why", Value: clip(s.Reason)}}
	latest := bson.D{{Key: "ts", Value: s.At}}
	inserted := subject(s.Subject)
	filter := open(id, s.Number) // whose equalities an insert starts from
	if s.State == Accepted {
		filter = filter[:1]
		set = append(set, bson.E{Key: "mid", Value: s.MessageID})
		latest = append(latest, bson.E{Key: "at", Value: s.Number})
		inserted = append(inserted, bson.E{Key: "s", Value: int64(0)})
	}
	changes := bson.D{{Key: "$set", Value: set}, {Key: "$max", Value: latest}}
	update = mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(changes)
	upsert = mongo.NewUpdateOneModel().SetFilter(filter).SetUpsert(true).
		SetUpdate(append(changes[:2:2], bson.E{Key: "$setOnInsert", Value: inserted}))
	return update, upsert
}
