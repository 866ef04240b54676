package stats

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// A table is an update of many records, each by values of its own, in one statement: the database looks its row up by
// the record's _id. That takes a fraction of the time of as many statements.
type table struct {
	ids  bson.A
	rows []bson.D
}

func (t *table) add(id bson.ObjectID, row bson.D) {
	t.ids, t.rows = append(t.ids, id), append(t.rows, row)
}

// maxTable bounds the rows of a statement, since the time to find one grows with their number.
const maxTable = 128

// updates returns the updates of the table's records that match guard, by the stages that bring rows into records.
func (t *table) updates(guard bson.D, stages func(ids bson.A, rows []bson.D) mongo.Pipeline) []update {
	var updates []update
	for first := 0; first < len(t.ids); first += maxTable {
		end := min(first+maxTable, len(t.ids))
		ids := t.ids[first:end]
		filter := append(bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, guard...)
		updates = append(updates, update{filter, stages(ids, t.rows[first:end])})
	}
	return updates
}

// merged has a stage make the new record of the old one and its row, which it finds in the field "row".
func merged(merge bson.D) func(ids bson.A, rows []bson.D) mongo.Pipeline {
	return func(ids bson.A, rows []bson.D) mongo.Pipeline {
		return mongo.Pipeline{
			{{Key: "$set", Value: bson.D{{Key: "row", Value: lookUp(ids, rows)}}}},
			merge,
			{{Key: "$unset", Value: "row"}},
		}
	}
}

// lookUp is the one of values, a slice, that stands where the record's _id does among ids.
func lookUp(ids bson.A, values any) bson.D {
	index := bson.D{{Key: "$indexOfArray", Value: bson.A{literal(ids), "$_id"}}}
	return bson.D{{Key: "$arrayElemAt", Value: bson.A{literal(values), index}}}
}

// larger is the greater of a record's field and its row's; the one that is there, if only one is.
func larger(field string) bson.D { return either("$max", field) }

// lesser is the opposite of larger.
func lesser(field string) bson.D { return either("$min", field) }

func either(operator, field string) bson.D {
	return bson.D{{Key: operator, Value: bson.A{"$" + field, "$row." + field}}}
}

// literal keeps texts that begin with $ from being read as the names of fields.
func literal(value any) bson.D { return bson.D{{Key: "$literal", Value: value}} }
