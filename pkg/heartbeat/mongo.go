package heartbeat

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Mongo keeps beats in the collection "workers", where the server removes old ones.
type Mongo struct{ workers *mongo.Collection }

// NewMongo returns a store in db, and makes its index.
func NewMongo(ctx context.Context, db *mongo.Database) (*Mongo, error) {
	m := &Mongo{db.Collection("workers")}
	_, err := m.workers.Indexes().CreateOne(ctx, mongo.IndexModel{
		Keys: bson.D{{Key: "t", Value: 1}}, Options: options.Index().SetExpireAfterSeconds(int32(kept.Seconds())),
	})
	if err != nil {
		return nil, fmt.Errorf("index heartbeats: %w", err)
	}
	return m, nil
}

// Beat implements Store.
func (m *Mongo) Beat(ctx context.Context, b Beat) error {
	_, err := m.workers.ReplaceOne(ctx, bson.D{{Key: "_id", Value: b.Worker}}, b, options.Replace().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("write heartbeat: %w", err)
	}
	return nil
}

// Since implements Store.
func (m *Mongo) Since(ctx context.Context, t time.Time) ([]Beat, error) {
	cursor, err := m.workers.Find(ctx, bson.D{{Key: "t", Value: bson.D{{Key: "$gte", Value: t}}}, {Key: "e", Value: bson.D{{Key: "$ne", Value: true}}}},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("read heartbeats: %w", err)
	}
	var beats []Beat
	if err := cursor.All(ctx, &beats); err != nil {
		return nil, fmt.Errorf("read heartbeats: %w", err)
	}
	return beats, nil
}
