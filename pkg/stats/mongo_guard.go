package stats

import (
	"go.mongodb.org/mongo-driver/v2/bson"
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
	merge := bson.D{{Key: "$replaceWith", Value: bson.D{{Key: "$mergeObjects", Value: bson.A{
		"$$ROOT", "$row", bson.D{{Key: "ts", Value: larger("ts")}, {Key: "at", Value: larger("at")}},
	}}}}}
	var updates []update
	for _, key := range l.order {
		updates = append(updates, l.byKey[key].updates(l.byKey[key].guard, merge)...)
	}
	return updates
}
