package stats

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// newestFirst is the order of the indexes that newest reads.
var newestFirst = bson.D{{Key: "tc", Value: -1}, {Key: "_id", Value: -1}}

const (
	firstLook    = time.Hour
	farther      = 8
	farthestLook = 10 * 365 * 24 * time.Hour // after that, all there is
)

// newest is a page of what filter finds, the newest first. It looks back an hour, then ever farther until the page is full:
// FerretDB sorts everything that a filter finds before it gives the first few, which took it a second for a recipient with
// 100,000 mails.
func (m *Mongo) newest(ctx context.Context, filter bson.D, q Query) ([]*entry, error) {
	end, until, err := mongoBefore(q.Before)
	if err != nil {
		return nil, fmt.Errorf("find records: %w", err)
	}
	filter = append(filter, until...)
	for back := firstLook; ; back *= farther {
		from := createdSince(end.Add(-back))
		all := back > farthestLook
		if all {
			from = createdSince(time.Time{})
		}
		found, err := m.query(ctx, append(slices.Clip(filter), from), newestFirst, q.Limit)
		if err != nil || all || len(found) == q.Limit {
			return found, err
		}
	}
}

// createdSince is a condition that every record meets if t is zero: FerretDB reads the index of unknown outcomes only where
// tc is asked for.
func createdSince(t time.Time) bson.E {
	return bson.E{Key: "tc", Value: bson.D{{Key: "$gte", Value: t}}}
}

// mongoBefore is the condition to come after r, newest first, and the latest time that meets it, or now.
func mongoBefore(r *Record) (time.Time, bson.D, error) {
	if r == nil {
		return time.Now(), nil, nil
	}
	id, err := objectID(r.ID)
	if err != nil {
		return time.Time{}, nil, err
	}
	return r.Created, bson.D{{Key: "$and", Value: bson.A{
		bson.D{{Key: "tc", Value: bson.D{{Key: "$lte", Value: r.Created}}}},
		bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: "tc", Value: bson.D{{Key: "$lt", Value: r.Created}}}},
			bson.D{{Key: "_id", Value: bson.D{{Key: "$lt", Value: id}}}},
		}}},
	}}}, nil
}
