package stats

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/levenlabs/postmaster/pkg/job"
)

// maxTogether bounds how many mails one update of a bulk names.
const maxTogether = 1000

// Fold implements Store. Events are added up by mail, and mails of which they say the same, such as delivered in the
// same second, are updated together: one statement for many documents costs a fraction of one for each.
func (m *Mongo) Fold(ctx context.Context, events []job.Event) (FoldResult, error) {
	deltas := fold(events)
	known, err := m.foldDeltas(ctx, deltas)
	if err != nil {
		return FoldResult{}, available(fmt.Errorf("fold events: %w", err))
	}
	return count(events, known), nil
}

// foldDeltas returns which mails have a record.
func (m *Mongo) foldDeltas(ctx context.Context, deltas map[job.ID]*delta) (map[job.ID]bool, error) {
	known := map[job.ID]bool{}
	if len(deltas) == 0 {
		return known, nil
	}
	models, expected, err := foldModels(deltas)
	if err != nil {
		return nil, err
	}
	matched, _, err := m.write(ctx, models)
	if err != nil {
		return nil, err
	}
	if matched == expected {
		for id := range deltas {
			known[id] = true
		}
		return known, nil
	}
	entries, err := m.load(ctx, slices.Collect(maps.Keys(deltas)))
	if err != nil {
		return nil, err
	}
	for id := range entries {
		known[id] = true
	}
	return known, nil
}

// foldModels returns the updates, and how many documents they match if all mails have a record and all reasons are
// news. They are sorted by mail, so that two folds of the same mails do not wait for each other in a circle.
func foldModels(deltas map[job.ID]*delta) (models []mongo.WriteModel, expected int, err error) {
	together := map[string][]bson.ObjectID{}
	changes := map[string]*delta{}
	var order []string
	for _, id := range slices.Sorted(maps.Keys(deltas)) {
		d := deltas[id]
		oid, err := objectID(id)
		if err != nil {
			return nil, 0, err
		}
		if d.reason != "" {
			models = append(models, reasonUpdate(oid, d))
			expected++
		}
		key := d.key()
		if len(together[key]) == 0 {
			order = append(order, key)
			changes[key] = d
		}
		together[key] = append(together[key], oid)
		expected++
	}
	for _, key := range order {
		for ids := range slices.Chunk(together[key], maxTogether) {
			models = append(models, eventsUpdate(ids, changes[key]))
		}
	}
	return models, expected, nil
}

// key is equal for deltas that differ in nothing but the reason.
func (d *delta) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", d.latest.Unix())
	for _, kind := range slices.Sorted(maps.Keys(d.evidence)) {
		fmt.Fprintf(&b, " %s %d", kind, d.evidence[kind].Unix())
	}
	return b.String()
}

func eventsUpdate(ids []bson.ObjectID, d *delta) mongo.WriteModel {
	var first bson.D
	for kind, at := range d.evidence {
		first = append(first, bson.E{Key: "ev." + kind, Value: at})
	}
	slices.SortFunc(first, func(a, b bson.E) int { return cmp.Compare(a.Key, b.Key) })
	update := bson.D{{Key: "$max", Value: bson.D{{Key: "ts", Value: d.latest}}}, {Key: "$min", Value: first}}
	if d.bits != 0 {
		update = append(update, bson.E{Key: "$bit", Value: bson.D{{Key: "s", Value: bson.D{{Key: "or", Value: d.bits}}}}})
	}
	return mongo.NewUpdateManyModel().SetUpdate(update).
		SetFilter(bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
}

// reasonUpdate is supersedes in MongoDB's words: it matches a record whose reason is older, or as old and less.
func reasonUpdate(id bson.ObjectID, d *delta) mongo.WriteModel {
	older := bson.A{
		bson.D{{Key: "ea", Value: bson.D{{Key: "$exists", Value: false}}}},
		bson.D{{Key: "ea", Value: bson.D{{Key: "$lt", Value: d.reasonAt}}}},
		bson.D{{Key: "ea", Value: d.reasonAt}, {Key: "err", Value: bson.D{{Key: "$lt", Value: d.reason}}}},
	}
	return mongo.NewUpdateOneModel().
		SetFilter(bson.D{{Key: "_id", Value: id}, {Key: "$or", Value: older}}).
		SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "err", Value: d.reason}, {Key: "ea", Value: d.reasonAt}}}})
}
