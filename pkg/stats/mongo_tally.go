package stats

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/levenlabs/postmaster/pkg/job"
)

// Tally implements Store.
func (m *Mongo) Tally(ctx context.Context, from, to time.Time) ([]Tally, error) {
	ids, err := objectIDs([]job.ID{idOf(from), idOf(to)})
	if err != nil {
		return nil, err
	}
	exists := func(yes bool) bson.D { return bson.D{{Key: "$exists", Value: yes}} }
	has := bson.A{
		bson.D{{Key: "st", Value: Accepted}}, bson.D{{Key: "st", Value: exists(false)}}, // of 0.4.0
		bson.D{{Key: "s", Value: bson.D{{Key: "$ne", Value: int64(0)}}}}, bson.D{{Key: "ev", Value: exists(true)}},
	}
	cursor, err := m.records.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: ids[0]}, {Key: "$lt", Value: ids[1]}}}, {Key: "$or", Value: has}}}},
		{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: bson.D{{Key: "ef", Value: "$ef"}, {Key: "s", Value: "$s"}}}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
		}}},
	})
	if err != nil {
		return nil, available(fmt.Errorf("tally mails: %w", err))
	}
	var groups []struct {
		Of struct {
			EmailFlags int64 `bson:"ef"`
			StateFlags int64 `bson:"s"`
		} `bson:"_id"`
		Mails int `bson:"n"`
	}
	if err := cursor.All(ctx, &groups); err != nil {
		return nil, available(fmt.Errorf("tally mails: %w", err))
	}
	all := make([]Tally, len(groups))
	for i, g := range groups {
		all[i] = Tally{g.Of.EmailFlags, g.Of.StateFlags, g.Mails}
	}
	return all, nil
}
