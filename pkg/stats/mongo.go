package stats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/levenlabs/postmaster/pkg/database"
	"github.com/levenlabs/postmaster/pkg/job"
)

// Mongo keeps records in the collection "records".
type Mongo struct {
	records *mongo.Collection
	keys    *database.Backfill // of the recipients' keys
}

// indexTimeout bounds the building of the indexes, of which one is there already wherever 0.4.0 has run.
const indexTimeout = 10 * time.Minute

// NewMongo returns a store over db, whose writes must be acknowledged by a majority, after making its indexes. Close ends
// its back-fill.
func NewMongo(ctx context.Context, db *mongo.Database, log zerolog.Logger) (*Mongo, error) {
	m := &Mongo{records: db.Collection("records")}
	if err := m.makeIndexes(ctx); err != nil {
		return nil, err
	}
	if err := m.startBackfill(ctx, log); err != nil {
		return nil, available(err)
	}
	return m, nil
}

func (m *Mongo) makeIndexes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	last := mongo.IndexModel{
		Keys:    bson.D{{Key: "uid", Value: 1}, {Key: "r", Value: 1}, {Key: "tc", Value: 1}},
		Options: options.Index().SetSparse(true), // as 0.4.0 made it
	}
	for _, index := range append(queryIndexes(), last, gapsIndex()) {
		if _, err := m.records.Indexes().CreateOne(ctx, index); err != nil && !differs(err) {
			return available(fmt.Errorf("make the indexes of records: %w", err))
		}
	}
	return nil
}

// differs tells whether an index could not be made because there is one of its name or keys with other options, which
// serves as well.
func differs(err error) bool {
	const optionsConflict, keySpecsConflict = 85, 86
	var server mongo.ServerError
	return errors.As(err, &server) && (server.HasErrorCode(optionsConflict) || server.HasErrorCode(keySpecsConflict))
}

// Lookup implements Store.
func (m *Mongo) Lookup(ctx context.Context, ids []job.ID) (map[job.ID]*Record, error) {
	entries, err := m.load(ctx, ids)
	if err != nil {
		return nil, available(fmt.Errorf("look up records: %w", err))
	}
	records := make(map[job.ID]*Record, len(entries))
	for id, e := range entries {
		records[id] = e.shown()
	}
	return records, nil
}

func (m *Mongo) load(ctx context.Context, ids []job.ID) (map[job.ID]*entry, error) {
	keys, err := objectIDs(ids)
	if err != nil {
		return nil, err
	}
	cursor, err := m.records.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}})
	if err != nil {
		return nil, err
	}
	var docs []document
	if err := cursor.All(ctx, &docs); err != nil {
		return nil, err
	}
	entries := make(map[job.ID]*entry, len(docs))
	for i := range docs {
		e := docs[i].entry()
		entries[e.ID] = e
	}
	return entries, nil
}

// Last implements Store.
func (m *Mongo) Last(ctx context.Context, recipient, uniqueID string) (*Record, error) {
	accepted := bson.A{
		bson.D{{Key: "st", Value: Accepted}},
		bson.D{{Key: "st", Value: bson.D{{Key: "$exists", Value: false}}}}, // of 0.4.0
		bson.D{{Key: "ev", Value: bson.D{{Key: "$exists", Value: true}}}},
		bson.D{{Key: "s", Value: bson.D{{Key: "$ne", Value: 0}}}},
	}
	var latest *entry
	for _, theirs := range m.byRecipient(recipient) {
		var doc document
		err := m.records.FindOne(ctx,
			bson.D{{Key: "uid", Value: uniqueID}, theirs, {Key: "$or", Value: accepted}},
			options.FindOne().SetSort(bson.D{{Key: "tc", Value: -1}, {Key: "_id", Value: -1}}),
		).Decode(&doc)
		if errors.Is(err, mongo.ErrNoDocuments) {
			continue
		}
		if err != nil {
			return nil, available(fmt.Errorf("find last record: %w", err))
		}
		if e := doc.entry(); latest == nil || e.after(&latest.Record) {
			latest = e
		}
	}
	if latest == nil {
		return nil, nil
	}
	return latest.shown(), nil
}

// write sends the models, the inserts first. It returns how many records the updates matched, and which models were
// inserts that met an existing record.
//
// IMPORTANT: each update is a call of its own. A server that does a bulk in one transaction (FerretDB) would hold the
// records of one update while it waits for those of the next; two such bulks over the same mails wait in a circle.
func (m *Mongo) write(ctx context.Context, inserts []mongo.WriteModel, updates []update) (matched int, met []int, err error) {
	if len(inserts) > 0 {
		_, err = m.records.BulkWrite(ctx, inserts, options.BulkWrite().SetOrdered(false))
		if met, err = database.Duplicates(err); err != nil {
			return 0, nil, err
		}
	}
	for _, u := range updates {
		result, err := m.records.UpdateMany(ctx, u.filter, u.changes)
		if err != nil {
			return 0, nil, err
		}
		matched += int(result.MatchedCount)
	}
	return matched, met, nil
}

// update is one statement that changes many records.
type update struct {
	filter  bson.D
	changes any
}
