package stats

import (
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/levenlabs/postmaster/pkg/job"
)

// tableUpdates apply to each mail its own delta: entry.fold in MongoDB's words.
func tableUpdates(ids []job.ID, deltas map[job.ID]*delta) ([]update, error) {
	var t table
	var all delta // what any of them has
	kinds := map[string]bool{}
	for _, id := range ids {
		oid, err := objectID(id)
		if err != nil {
			return nil, err
		}
		d := deltas[id]
		t.add(oid, d.row())
		all.bits |= d.bits
		all.reason = max(all.reason, d.reason)
		for kind := range d.evidence {
			kinds[kind] = true
		}
	}
	fields := bson.D{{Key: "ts", Value: larger("ts")}}
	if all.bits != 0 {
		fields = append(fields, bson.E{Key: "s", Value: union("s", all.bits)})
	}
	if all.reason != "" {
		fields = append(fields, newerReason()...)
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		first := bson.D{{Key: "$ifNull", Value: bson.A{lesser("ev." + kind), "$$REMOVE"}}}
		fields = append(fields, bson.E{Key: "ev." + kind, Value: first})
	}
	return t.updates(nil, merged(bson.D{{Key: "$set", Value: fields}})), nil
}

func (d *delta) row() bson.D {
	row := bson.D{{Key: "s", Value: d.bits}, {Key: "ts", Value: d.latest}, {Key: "ev", Value: d.evidence}}
	if d.reason != "" {
		row = append(row, bson.E{Key: "err", Value: d.reason}, bson.E{Key: "ea", Value: d.reasonAt})
	}
	return row
}

// union is the bitwise or of a record's field and its row's, whose bits are among bits. ($bitOr came with MongoDB 6.3.)
func union(field string, bits int64) bson.D {
	isSet := func(value string, bit int64) bson.D {
		rest := bson.D{{Key: "$mod", Value: bson.A{value, 2 * bit}}}
		return bson.D{{Key: "$gte", Value: bson.A{rest, bit}}}
	}
	terms := bson.A{bson.D{{Key: "$ifNull", Value: bson.A{"$" + field, int64(0)}}}}
	for bit := int64(1); bit <= bits; bit <<= 1 {
		if bits&bit == 0 {
			continue
		}
		isNew := bson.D{{Key: "$gt", Value: bson.A{isSet("$row."+field, bit), isSet("$"+field, bit)}}}
		terms = append(terms, bson.D{{Key: "$cond", Value: bson.A{isNew, bit, int64(0)}}})
	}
	return bson.D{{Key: "$add", Value: terms}}
}

// newerReason is supersedes in MongoDB's words. A field that is missing is less than any.
func newerReason() bson.D {
	newer := bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "$gt", Value: bson.A{"$row.ea", "$ea"}}},
		bson.D{{Key: "$and", Value: bson.A{
			bson.D{{Key: "$eq", Value: bson.A{"$row.ea", "$ea"}}},
			bson.D{{Key: "$gt", Value: bson.A{"$row.err", "$err"}}},
		}}},
	}}}
	pick := func(field string) bson.D {
		return bson.D{{Key: "$cond", Value: bson.A{newer, "$row." + field, "$" + field}}}
	}
	return bson.D{{Key: "err", Value: pick("err")}, {Key: "ea", Value: pick("ea")}}
}
