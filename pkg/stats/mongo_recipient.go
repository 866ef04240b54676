package stats

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

const (
	keyIndex    = "recipient_key" // the last that is made
	pageTimeout = 2 * time.Minute // a page of a large collection without any other spelling reads all of it
	// otherSpelling matches what job.Key may change.
	otherSpelling = `[A-Z]|[^\x00-\x7F]`
)

// recipientIndexes cost records with other recipients nothing.
func recipientIndexes() []mongo.IndexModel {
	index := func(name string, keys bson.D) mongo.IndexModel {
		hasKey := bson.D{{Key: "rk", Value: bson.D{{Key: "$exists", Value: true}}}}
		return mongo.IndexModel{Keys: keys, Options: options.Index().SetName(name).SetPartialFilterExpression(hasKey)}
	}
	return []mongo.IndexModel{
		index("recipient_key_last", bson.D{{Key: "rk", Value: 1}, {Key: "uid", Value: 1}, {Key: "tc", Value: 1}}),
		index(keyIndex, bson.D{{Key: "rk", Value: 1}, {Key: "tc", Value: 1}, {Key: "_id", Value: 1}}),
	}
}

// startBackfill gives records that an older version wrote their rk, in the order of their ids, and makes the indexes.
func (m *Mongo) startBackfill(ctx context.Context, log zerolog.Logger) error {
	indexes, err := m.records.Indexes().ListSpecifications(ctx)
	if err != nil {
		return fmt.Errorf("list the indexes of records: %w", err)
	}
	isComplete := slices.ContainsFunc(indexes, func(s mongo.IndexSpecification) bool { return s.Name == keyIndex })
	late := func() {
		log.Info().Msg("indexing the recipients stored by an older version; emails to other spellings of an address are found when that is done")
	}
	m.keys, err = database.StartBackfill(ctx, log, isComplete, late, func(ctx context.Context) error {
		first := bson.NilObjectID
		if isComplete {
			first = bson.NewObjectIDFromTimestamp(time.Now().Add(-keyRecent))
		}
		if err := m.fillRecipients(ctx, first); err != nil || isComplete {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, indexTimeout)
		defer cancel()
		for _, index := range recipientIndexes() {
			if _, err := m.records.Indexes().CreateOne(ctx, index); err != nil && !differs(err) {
				return fmt.Errorf("make the indexes of recipients: %w", err)
			}
		}
		return nil
	})
	return err
}

func (m *Mongo) fillRecipients(ctx context.Context, last bson.ObjectID) error {
	for {
		page, err := m.withoutKey(ctx, last)
		if err != nil {
			return fmt.Errorf("find recipients without keys: %w", err)
		}
		var models []mongo.WriteModel
		for _, d := range page {
			if key := recipientKey(d.Recipient); key != "" {
				models = append(models, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: d.ID}}).
					SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "rk", Value: key}}}}))
			}
		}
		if len(models) > 0 {
			if _, err := m.records.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false)); err != nil {
				return fmt.Errorf("fill in keys of recipients: %w", err)
			}
		}
		if len(page) < keyPage {
			return nil
		}
		last = page[len(page)-1].ID
	}
}

// withoutKey returns the next records after last that may need an rk.
func (m *Mongo) withoutKey(ctx context.Context, last bson.ObjectID) ([]document, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	cursor, err := m.records.Find(ctx,
		bson.D{
			{Key: "_id", Value: bson.D{{Key: "$gt", Value: last}}}, {Key: "r", Value: bson.D{{Key: "$regex", Value: otherSpelling}}},
			{Key: "rk", Value: bson.D{{Key: "$exists", Value: false}}},
		},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(keyPage).SetProjection(bson.D{{Key: "r", Value: 1}}))
	if err != nil {
		return nil, err
	}
	var page []document
	err = cursor.All(ctx, &page)
	return page, err
}

// byRecipient are the conditions that find the records of a recipient together; one record may meet both.
func (m *Mongo) byRecipient(recipient string) []bson.E {
	found := []bson.E{{Key: "r", Value: bson.D{{Key: "$in", Value: job.Spellings(recipient)}}}}
	if m.keys.Done() {
		found = append(found, bson.E{Key: "rk", Value: job.Key(recipient)})
	}
	return found
}

// Close ends the back-fill, which goes on when the store is opened again.
func (m *Mongo) Close() error {
	m.keys.Stop()
	return nil
}
