package stats

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// A table is an update of many records, each by values of its own, in one statement: the database looks its row up by
// the record's _id. That takes a fraction of the time of as many statements.
type table struct {
	ids  bson.A
	rows bson.A
}

func (t *table) add(id bson.ObjectID, row bson.D) {
	t.ids, t.rows = append(t.ids, id), append(t.rows, row)
}

// maxTable bounds the rows of a statement, since the time to find one grows with their number.
const maxTable = 128

// updates returns the updates of the table's records that match guard. merge is a stage that makes the new record of
// the old one and its row, which it finds in the field "row".
func (t *table) updates(guard bson.D, merge bson.D) []update {
	var updates []update
	for first := 0; first < len(t.ids); first += maxTable {
		end := min(first+maxTable, len(t.ids))
		updates = append(updates, statement(t.ids[first:end], t.rows[first:end], guard, merge))
	}
	return updates
}

func statement(ids, rows bson.A, guard, merge bson.D) update {
	index := bson.D{{Key: "$indexOfArray", Value: bson.A{literal(ids), "$_id"}}}
	row := bson.D{{Key: "$arrayElemAt", Value: bson.A{literal(rows), index}}}
	return update{
		append(bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, guard...),
		mongo.Pipeline{
			{{Key: "$set", Value: bson.D{{Key: "row", Value: row}}}},
			merge,
			{{Key: "$unset", Value: "row"}},
		},
	}
}

// larger is the greater of a record's field and its row's; the one that is there, if only one is.
func larger(field string) bson.D { return either("$max", field) }

// lesser is the opposite of larger.
func lesser(field string) bson.D { return either("$min", field) }

func either(operator, field string) bson.D {
	return bson.D{{Key: operator, Value: bson.A{"$" + field, "$row." + field}}}
}

// literal keeps texts that begin with $ from being read as the names of fields.
func literal(values bson.A) bson.D { return bson.D{{Key: "$literal", Value: values}} }
