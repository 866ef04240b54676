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

// document is a claim.
type document struct {
	Key       string    `bson:"_id"`
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
	c.Made, c.Confirmed = c.Made.Truncate(time.Millisecond), false
	doc := document{Key: key, ID: string(c.ID), Print: c.Fingerprint, Made: c.Made}
	for range claimTries {
		got, err := m.insert(ctx, doc)
		if err != nil {
			return Claim{}, available(fmt.Errorf("claim idempotency key: %w", err))
		}
		if got != nil {
			return got.claim()
		}
	}
	return Claim{}, fmt.Errorf("claim idempotency key: %w: others kept coming in between", ErrUnavailable)
}

// insert returns what stands for the key: doc, if it could be put there. Nil: something has changed in between.
func (m *Mongo) insert(ctx context.Context, doc document) (*document, error) {
	_, err := m.keys.InsertOne(ctx, doc)
	if err == nil {
		return &doc, nil
	}
	if !mongo.IsDuplicateKeyError(err) {
		return nil, err
	}
	var old document
	err = m.keys.FindOne(ctx, bson.D{{Key: "_id", Value: doc.Key}}).Decode(&old)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil // removed just now
	}
	if err != nil || old.Made.After(doc.Made.Add(-Lifetime)) {
		return &old, err
	}
	res, err := m.keys.ReplaceOne(ctx, bson.D{{Key: "_id", Value: doc.Key}, {Key: "t", Value: old.Made}}, doc)
	if err != nil || res.MatchedCount == 0 {
		return nil, err
	}
	return &doc, nil
}

func (d *document) claim() (Claim, error) {
	c := Claim{ID: job.ID(d.ID), Fingerprint: d.Print, Made: d.Made, Confirmed: d.Confirmed}
	if len(c.Fingerprint) == 0 {
		return Claim{}, fmt.Errorf("claim idempotency key: what is stored for %s has no fingerprint", d.ID)
	}
	return c, nil
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
