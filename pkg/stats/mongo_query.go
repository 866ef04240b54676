package stats

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// queryIndexes are what Find and CountUnknown need beside the index that 0.4.0 made.
func queryIndexes() []mongo.IndexModel {
	return []mongo.IndexModel{
		{Keys: bson.D{{Key: "r", Value: 1}, {Key: "tc", Value: 1}, {Key: "_id", Value: 1}}},
		{
			Keys:    bson.D{{Key: "tc", Value: 1}, {Key: "_id", Value: 1}},
			Options: options.Index().SetName("unknown").SetPartialFilterExpression(bson.D{{Key: "st", Value: Unknown}}),
		},
	}
}

func mongoUnknown() bson.D {
	return bson.D{
		{Key: "st", Value: Unknown},
		{Key: "s", Value: 0},
		{Key: "ev", Value: bson.D{{Key: "$exists", Value: false}}},
	}
}

// Find implements Store.
func (m *Mongo) Find(ctx context.Context, q Query) ([]*Record, error) {
	if q.all() {
		return m.latest(ctx, q)
	}
	if q.Recipient == "" && !q.Unknown {
		found, err := m.query(ctx, bson.D{{Key: "uid", Value: q.UniqueID}},
			bson.D{{Key: "uid", Value: -1}, {Key: "r", Value: -1}, {Key: "tc", Value: -1}}, q.Limit)
		return shown(found), err
	}
	if q.Unknown {
		found, err := m.newest(ctx, mongoUnknown(), q)
		return shown(found), err
	}
	var all []*entry
	for _, theirs := range m.byRecipient(q.Recipient) {
		filter := bson.D{theirs}
		if q.UniqueID != "" {
			filter = append(filter, bson.E{Key: "uid", Value: q.UniqueID})
		}
		found, err := m.newest(ctx, filter, q)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return merge(all, q.Limit), nil
}

func (m *Mongo) latest(ctx context.Context, q Query) ([]*Record, error) {
	first, err := objectID(q.firstID())
	if err != nil {
		return nil, fmt.Errorf("find records: %w", err)
	}
	found, err := m.query(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$lt", Value: first}}}}, bson.D{{Key: "_id", Value: -1}}, q.Limit)
	return shown(found), err
}

func (m *Mongo) query(ctx context.Context, filter, sort bson.D, limit int) ([]*entry, error) {
	cursor, err := m.records.Find(ctx, filter, options.Find().SetSort(sort).SetLimit(int64(limit)))
	if err != nil {
		return nil, available(fmt.Errorf("find records: %w", err))
	}
	var docs []document
	if err := cursor.All(ctx, &docs); err != nil {
		return nil, available(fmt.Errorf("find records: %w", err))
	}
	found := make([]*entry, len(docs))
	for i := range docs {
		found[i] = docs[i].entry()
	}
	return found, nil
}

// CountUnknown implements Store.
func (m *Mongo) CountUnknown(ctx context.Context, atMost int) (int, error) {
	n, err := m.records.CountDocuments(ctx, append(mongoUnknown(), createdSince(time.Time{})), options.Count().SetLimit(int64(atMost)))
	if err != nil {
		return 0, available(fmt.Errorf("count unknown outcomes: %w", err))
	}
	return int(n), nil
}
