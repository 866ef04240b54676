package prefs

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

// A backfill gives each document that an older version stored under another spelling than its key the field ck: its key.
// It takes the addresses in order, a page at a time, and skips those that have ck, so it may end at any point and start
// again. (25f7307 had a field k, in lower case, which its own back-fill keeps.)
//
// The index over ck is made when all are done. Its presence says so: until then, what is stored for a recipient may not
// all be found, and Flags does not answer. Where it is there, documents that an older process still running has added since
// are looked for behind the work.
type backfill struct {
	emails *mongo.Collection
	*database.Backfill
}

const (
	backfillPage = 1000
	pageTimeout  = 2 * time.Minute // a page of a large collection without any mixed case reads all of it
	keyField     = "ck"
	keyIndex     = keyField + "_1"
)

var errBackfill = fmt.Errorf("%w: the addresses stored by an older version are being indexed", ErrUnavailable)

// mixedCase matches what job.Key may change. Letters beyond ASCII are told apart here, not in the database.
const mixedCase = `[A-Z]|[^\x00-\x7F]`

func startBackfill(ctx context.Context, emails *mongo.Collection, log zerolog.Logger) (*backfill, error) {
	indexes, err := emails.Indexes().ListSpecifications(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the indexes of emails: %w", err)
	}
	isComplete := slices.ContainsFunc(indexes, func(s mongo.IndexSpecification) bool { return s.Name == keyIndex })
	b := &backfill{emails: emails}
	late := func() {
		log.Warn().Msg("indexing the addresses stored by an older version; nothing is sent until that is done")
	}
	b.Backfill, err = database.StartBackfill(ctx, log, isComplete, late, func(ctx context.Context) error {
		if err := b.pages(ctx); err != nil || isComplete {
			return err
		}
		if err := b.index(ctx); err != nil {
			return err
		}
		return b.pages(ctx) // what older processes have written behind the first pass
	})
	return b, err
}

func (b *backfill) pages(ctx context.Context) error {
	last := ""
	for {
		ids, err := b.page(ctx, last)
		if err != nil {
			return err
		}
		if err := b.fill(ctx, ids); err != nil {
			return err
		}
		if len(ids) < backfillPage {
			return nil
		}
		last = ids[len(ids)-1]
	}
}

// page returns the next addresses that have no key and may need one.
func (b *backfill) page(ctx context.Context, last string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	cursor, err := b.emails.Find(ctx,
		bson.D{
			{Key: "_id", Value: bson.D{{Key: "$gt", Value: last}, {Key: "$regex", Value: mixedCase}}},
			{Key: keyField, Value: bson.D{{Key: "$exists", Value: false}}},
		},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(backfillPage).
			SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("find mixed-case addresses: %w", err)
	}
	var docs []struct {
		ID string `bson:"_id"`
	}
	if err := cursor.All(ctx, &docs); err != nil {
		return nil, fmt.Errorf("find mixed-case addresses: %w", err)
	}
	ids := make([]string, len(docs))
	for i, d := range docs {
		ids[i] = d.ID
	}
	return ids, nil
}

func (b *backfill) fill(ctx context.Context, ids []string) error {
	var models []mongo.WriteModel
	for _, id := range ids {
		if key := job.Key(id); key != id {
			models = append(models, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: id}}).
				SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: keyField, Value: key}}}}))
		}
	}
	if len(models) == 0 {
		return nil
	}
	if _, err := b.emails.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("fill in keys: %w", err)
	}
	return nil
}

func (b *backfill) index(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	_, err := b.emails.Indexes().CreateOne(ctx, mongo.IndexModel{
		Keys:    bson.D{{Key: keyField, Value: 1}},
		Options: options.Index().SetName(keyIndex).SetSparse(true),
	})
	if err != nil {
		return fmt.Errorf("make the index of keys: %w", err)
	}
	return nil
}

// finished returns an error until all is done.
func (b *backfill) finished() error {
	if b.Done() {
		return nil
	}
	return errBackfill
}
