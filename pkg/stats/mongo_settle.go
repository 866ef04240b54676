package stats

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Settle implements Store. Nearly always the record is there, so updates are tried first.
func (m *Mongo) Settle(ctx context.Context, settlements []Settlement) error {
	if err := m.settle(ctx, settlements); err != nil {
		return available(fmt.Errorf("settle attempts: %w", err))
	}
	return nil
}

func (m *Mongo) settle(ctx context.Context, settlements []Settlement) error {
	var changes ledger
	ids := make([]bson.ObjectID, len(settlements))
	for i, s := range settlements {
		id, err := objectID(s.ID)
		if err != nil {
			return err
		}
		ids[i] = id
		key, guard := standing(s)
		changes.add(key, guard, id, settled(s))
	}
	matched, _, err := m.write(ctx, nil, changes.updates())
	if err != nil || matched == len(settlements) {
		return err
	}
	// Some have no record, or do not stand. An insert of the latter meets their record and changes nothing, and so does
	// one of a record that someone else made in between: for that the update is due once more.
	inserts := make([]mongo.WriteModel, len(settlements))
	for i, s := range settlements {
		inserts[i] = missing(ids[i], s)
	}
	_, met, err := m.write(ctx, inserts, nil)
	if err != nil {
		return err
	}
	changes = ledger{}
	for _, i := range met {
		key, guard := standing(settlements[i])
		changes.add(key, guard, ids[i], settled(settlements[i]))
	}
	_, _, err = m.write(ctx, nil, changes.updates())
	return err
}

// standing is what a record must match for the settlement to stand, and a key of that.
func standing(s Settlement) (key int, guard bson.D) {
	if s.State == Accepted {
		return -1, nil
	}
	return s.Number, open(s.Number)
}

// settled are the fields that a settlement changes.
func settled(s Settlement) bson.D {
	fields := bson.D{
		{Key: "st", Value: s.State}, {Key: "fr", Value: s.Free}, {Key: "why", Value: clip(s.Reason)},
		{Key: "at", Value: s.Number}, {Key: "ts", Value: later(s.Created, s.At)},
	}
	if s.State == Accepted {
		return append(fields, bson.E{Key: "mid", Value: s.MessageID})
	}
	return append(fields, bson.E{Key: "nf", Value: s.Failed}, bson.E{Key: "fd", Value: s.Failing.Milliseconds()})
}

// missing makes the record that a settlement did not find.
func missing(id bson.ObjectID, s Settlement) mongo.WriteModel {
	made := bson.D{
		{Key: "_id", Value: id}, {Key: "r", Value: s.Recipient}, {Key: "ef", Value: s.EmailFlags},
		{Key: "s", Value: int64(0)}, {Key: "uid", Value: s.UniqueID}, {Key: "se", Value: s.Env}, {Key: "tc", Value: s.Created},
	}
	if key := recipientKey(s.Recipient); key != "" {
		made = append(made, bson.E{Key: "rk", Value: key})
	}
	if s.Fold != "" {
		made = append(made, bson.E{Key: "pf", Value: s.Fold})
	}
	return mongo.NewInsertOneModel().SetDocument(append(made, settled(s)...))
}
