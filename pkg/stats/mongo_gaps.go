package stats

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// gapsIndex holds only the few mails that are on their way.
func gapsIndex() mongo.IndexModel {
	return mongo.IndexModel{
		Keys:    bson.D{{Key: "ts", Value: 1}},
		Options: options.Index().SetPartialFilterExpression(undelivered()),
	}
}

// undelivered matches accepted mails of which no event came that counts as a state.
func undelivered() bson.D {
	return bson.D{{Key: "st", Value: Accepted}, {Key: "s", Value: int64(0)}}
}

// Gaps implements Store.
func (m *Mongo) Gaps(ctx context.Context, before time.Time, each func(*Record) error) error {
	silent := append(undelivered(),
		bson.E{Key: "ev", Value: bson.D{{Key: "$exists", Value: false}}}, bson.E{Key: "ts", Value: bson.D{{Key: "$lt", Value: before}}})
	cursor, err := m.records.Find(ctx, silent, options.Find().SetSort(bson.D{{Key: "ts", Value: 1}, {Key: "_id", Value: 1}}))
	if err != nil {
		return available(fmt.Errorf("find mails without events: %w", err))
	}
	defer cursor.Close(ctx)
	for cursor.Next(ctx) {
		var doc document
		if err := cursor.Decode(&doc); err != nil {
			return fmt.Errorf("find mails without events: %w", err)
		}
		if err := each(doc.entry().shown()); err != nil {
			return err
		}
	}
	if err := cursor.Err(); err != nil {
		return available(fmt.Errorf("find mails without events: %w", err))
	}
	return nil
}
