package stats

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// A ledger gathers changes of records by what they expect of them, which is one thing for each number of attempts.
type ledger struct {
	byKey map[int]*guarded
	order []int
}

type guarded struct {
	table
	guard bson.D
}

// add makes the record of id take over the fields of row, if it matches guard. at and ts only ever grow.
func (l *ledger) add(key int, guard bson.D, id bson.ObjectID, row bson.D) {
	g := l.byKey[key]
	if g == nil {
		if l.byKey == nil {
			l.byKey = map[int]*guarded{}
		}
		g = &guarded{guard: guard}
		l.byKey[key], l.order = g, append(l.order, key)
	}
	g.table.add(id, row)
}

func (l *ledger) updates() []update {
	var updates []update
	for _, key := range l.order {
		g := l.byKey[key]
		updates = append(updates, g.updates(g.guard, takenOver)...)
	}
	return updates
}

// takenOver sets the fields of the rows, which all have the same ones. A value that is the same in all rows is written
// once: that takes a quarter less time than to look up rows as a whole.
func takenOver(ids bson.A, rows []bson.D) mongo.Pipeline {
	fields := make(bson.D, len(rows[0]))
	for i, field := range rows[0] {
		value := literal(field.Value)
		if column, same := columnOf(rows, i); !same {
			value = lookUp(ids, column)
		}
		if field.Key == "ts" || field.Key == "at" {
			value = bson.D{{Key: "$max", Value: bson.A{"$" + field.Key, value}}}
		}
		fields[i] = bson.E{Key: field.Key, Value: value}
	}
	return mongo.Pipeline{{{Key: "$set", Value: fields}}}
}

// columnOf returns one field of all rows, and whether it is the same in all.
func columnOf(rows []bson.D, field int) (column bson.A, same bool) {
	same = true
	for _, row := range rows {
		value := row[field].Value
		column = append(column, value)
		same = same && value == column[0]
	}
	return column, same
}
