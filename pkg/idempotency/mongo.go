package idempotency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/levenlabs/postmaster/pkg/job"
)

const (
	collection = "idempotency"
	// claimTries bounds the rounds of a Claim: one goes on only because another caller's claim came in between.
	claimTries = 10
)

// Mongo keeps keys in the collection "idempotency", where the server removes them once they have expired.
type Mongo struct{ keys *mongo.Collection }

// document is a claim. Its _id is the key.
type document struct {
	ID        string    `bson:"id"` // of the mail
	Print     []byte    `bson:"p"`  // its fingerprint
	Made      time.Time `bson:"t"`
	Confirmed bool      `bson:"c,omitempty"`
}

// NewMongo returns a store in db, and makes its index.
func NewMongo(ctx context.Context, db *mongo.Database) (*Mongo, error) {
	m := &Mongo{db.Collection(collection)}
	_, err := m.keys.Indexes().CreateOne(ctx, mongo.IndexModel{
		Keys: bson.D{{Key: "t", Value: 1}}, Options: options.Index().SetExpireAfterSeconds(int32(Lifetime.Seconds())),
	})
	if err != nil {
		return nil, available(fmt.Errorf("index idempotency keys: %w", err))
	}
	return m, nil
}

// Claim implements Store. The server is slow to remove what has expired, so that counts as not there.
func (m *Mongo) Claim(ctx context.Context, key string, c Claim) (Claim, error) {
	expired := c.Made.Add(-Lifetime)
	doc := document{ID: string(c.ID), Print: c.Fingerprint[:], Made: c.Made}
	for range claimTries {
		got, err := m.insert(ctx, key, expired, doc)
		if !mongo.IsDuplicateKeyError(err) {
			return got, err
		}
		// It is there, but it has expired, or somebody else inserted it just now.
		res, err := m.keys.ReplaceOne(ctx, bson.D{{Key: "_id", Value: key}, {Key: "t", Value: bson.D{{Key: "$lte", Value: expired}}}}, doc)
		if err != nil {
			return Claim{}, available(fmt.Errorf("claim expired idempotency key: %w", err))
		}
		if res.MatchedCount == 1 {
			c.Made, c.Confirmed = c.Made.Truncate(time.Millisecond), false
			return c, nil
		}
	}
	return Claim{}, fmt.Errorf("claim idempotency key: %w: others kept coming in between", ErrUnavailable)
}

// insert returns what stands for key after it has inserted doc, unless something stood.
func (m *Mongo) insert(ctx context.Context, key string, expired time.Time, doc document) (Claim, error) {
	res := m.keys.FindOneAndUpdate(ctx,
		bson.D{{Key: "_id", Value: key}, {Key: "t", Value: bson.D{{Key: "$gt", Value: expired}}}},
		bson.D{{Key: "$setOnInsert", Value: doc}},
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After))
	var got document
	if err := res.Decode(&got); err != nil {
		return Claim{}, available(fmt.Errorf("claim idempotency key: %w", err))
	}
	if len(got.Print) != len(Claim{}.Fingerprint) {
		return Claim{}, errors.New("claim idempotency key: stored document has no fingerprint")
	}
	return Claim{
		ID: job.ID(got.ID), Fingerprint: [32]byte(got.Print), Made: got.Made, Confirmed: got.Confirmed,
	}, nil
}

// Confirm implements Store.
func (m *Mongo) Confirm(ctx context.Context, key string, id job.ID) error {
	_, err := m.keys.UpdateOne(ctx, bson.D{{Key: "_id", Value: key}, {Key: "id", Value: string(id)}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "c", Value: true}}}})
	if err != nil {
		return available(fmt.Errorf("confirm idempotency key: %w", err))
	}
	return nil
}
