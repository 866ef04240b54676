package stats

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/levenlabs/postmaster/pkg/job"
)

const (
	// minAlike is from how many mails on, of which events say the same, such an update pays.
	minAlike = 8
	// maxAlike bounds how many mails such an update names.
	maxAlike = 1000
)

// Fold implements Store. Events are added up by mail. Mails of which they say the same, such as delivered in the same
// second, are updated by operators, which are the same for all of them; the rest by tables.
func (m *Mongo) Fold(ctx context.Context, events []job.Event) (FoldResult, error) {
	recipients, err := m.recipients(ctx, undecided(events))
	if err != nil {
		return FoldResult{}, available(fmt.Errorf("fold events: %w", err))
	}
	known, err := m.foldDeltas(ctx, fold(events, recipients))
	if err != nil {
		return FoldResult{}, available(fmt.Errorf("fold events: %w", err))
	}
	return count(events, known), nil
}

// recipients reads the to of emails.
func (m *Mongo) recipients(ctx context.Context, ids []job.ID) (map[job.ID]string, error) {
	if len(ids) == 0 {
		return nil, nil // nearly always, once all emails are of versions that send job.ArgFold
	}
	keys, err := objectIDs(ids)
	if err != nil {
		return nil, err
	}
	cursor, err := m.records.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}},
		options.Find().SetProjection(bson.D{{Key: "r", Value: 1}}))
	if err != nil {
		return nil, err
	}
	var docs []document
	if err := cursor.All(ctx, &docs); err != nil {
		return nil, err
	}
	recipients := make(map[job.ID]string, len(docs))
	for _, d := range docs {
		recipients[job.ID(d.ID.Hex())] = d.Recipient
	}
	return recipients, nil
}

// foldDeltas returns which mails have a record.
func (m *Mongo) foldDeltas(ctx context.Context, deltas map[job.ID]*delta) (map[job.ID]bool, error) {
	known := map[job.ID]bool{}
	if len(deltas) == 0 {
		return known, nil
	}
	updates, err := foldUpdates(deltas)
	if err != nil {
		return nil, err
	}
	matched, _, err := m.write(ctx, nil, updates)
	if err != nil {
		return nil, err
	}
	if matched == len(deltas) {
		for id := range deltas {
			known[id] = true
		}
		return known, nil // nearly always: no need to ask
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

// foldUpdates returns the updates, each mail in one of them. Each names its mails in order, so that two folds of the same
// mails do not wait for each other in a circle.
func foldUpdates(deltas map[job.ID]*delta) ([]update, error) {
	alike := map[string][]job.ID{}
	for _, id := range slices.Sorted(maps.Keys(deltas)) {
		key := deltas[id].key()
		alike[key] = append(alike[key], id)
	}
	var updates []update
	var rest []job.ID
	for _, ids := range alike {
		d := deltas[ids[0]]
		if len(ids) < minAlike || d.reason != "" {
			rest = append(rest, ids...)
			continue
		}
		for some := range slices.Chunk(ids, maxAlike) {
			oids, err := objectIDs(some)
			if err != nil {
				return nil, err
			}
			updates = append(updates, alikeUpdate(oids, d))
		}
	}
	slices.Sort(rest)
	tables, err := tableUpdates(rest, deltas)
	return append(updates, tables...), err
}

// key is equal for deltas that are.
func (d *delta) key() string {
	b := strconv.AppendInt(nil, d.latest.Unix(), 36)
	for _, kind := range slices.Sorted(maps.Keys(d.evidence)) {
		b = append(append(append(b, ' '), kind...), ' ')
		b = strconv.AppendInt(b, d.evidence[kind].Unix(), 36)
	}
	if d.reason != "" {
		b = append(strconv.AppendInt(append(b, ' '), d.reasonAt.Unix(), 36), d.reason...)
	}
	return string(b)
}

// alikeUpdate applies one delta, which has no reason, to many records.
func alikeUpdate(ids []bson.ObjectID, d *delta) update {
	var first bson.D
	for _, kind := range slices.Sorted(maps.Keys(d.evidence)) {
		first = append(first, bson.E{Key: "ev." + kind, Value: d.evidence[kind]})
	}
	changes := bson.D{{Key: "$max", Value: bson.D{{Key: "ts", Value: d.latest}}}, {Key: "$min", Value: first}}
	if d.bits != 0 {
		changes = append(changes, bson.E{Key: "$bit", Value: bson.D{{Key: "s", Value: bson.D{{Key: "or", Value: d.bits}}}}})
	}
	return update{bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, changes}
}
