package stats

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// A table is an update of many records, each by values of its own, in one statement: the database looks its row up by
// the record's _id. That takes a fraction of the time of as many statements.
type table struct {
	guard bson.D // what a record must match besides
	ids   bson.A
	rows  bson.A
}

// A tables sorts rows by their guard, of which there are as many as there are numbers of attempts.
type tables struct {
	byKey map[int]*table
	order []int
}

// add makes the record of id take over the fields of row, if it matches guard. at and ts only ever grow.
func (t *tables) add(key int, guard bson.D, id bson.ObjectID, row bson.D) {
	some := t.byKey[key]
	if some == nil {
		if t.byKey == nil {
			t.byKey = map[int]*table{}
		}
		some = &table{guard: guard}
		t.byKey[key], t.order = some, append(t.order, key)
	}
	some.ids, some.rows = append(some.ids, id), append(some.rows, row)
}

// models returns the updates.
func (t *tables) models() []mongo.WriteModel {
	var models []mongo.WriteModel
	for _, key := range t.order {
		models = append(models, t.byKey[key].model())
	}
	return models
}

func (t *table) model() mongo.WriteModel {
	index := bson.D{{Key: "$indexOfArray", Value: bson.A{literal(t.ids), "$_id"}}}
	larger := func(field string) bson.D {
		return bson.D{{Key: "$max", Value: bson.A{"$" + field, "$row." + field}}}
	}
	return mongo.NewUpdateManyModel().
		SetFilter(append(bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: t.ids}}}}, t.guard...)).
		SetUpdate(mongo.Pipeline{
			{{Key: "$set", Value: bson.D{{Key: "row", Value: bson.D{{Key: "$arrayElemAt", Value: bson.A{literal(t.rows), index}}}}}}},
			{{Key: "$replaceWith", Value: bson.D{{Key: "$mergeObjects", Value: bson.A{
				"$$ROOT", "$row", bson.D{{Key: "ts", Value: larger("ts")}, {Key: "at", Value: larger("at")}},
			}}}}},
			{{Key: "$unset", Value: "row"}},
		})
}

// literal keeps texts that begin with $ from being read as the names of fields.
func literal(values bson.A) bson.D { return bson.D{{Key: "$literal", Value: values}} }
