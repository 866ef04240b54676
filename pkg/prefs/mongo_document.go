package prefs

import (
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A storedDocument is a document in MongoDB. 0.4.0 had _id, f, b, s and ts, under the address as it was given; 25f7307
// all to i, under the address in lower case. The rest is as in state.
type storedDocument struct {
	ID      string        `bson:"_id"`
	Flags   bson.RawValue `bson:"f,omitempty"`
	Bounces []time.Time   `bson:"b,omitempty"`
	Spam    []time.Time   `bson:"s,omitempty"`
	Updated bson.RawValue `bson:"ts,omitempty"` // 0.4.0 made it a list when a bounce came first

	Version int64                `bson:"v,omitempty"` // counts our writes
	Own     int64                `bson:"of,omitempty"`
	Since   time.Time            `bson:"ot,omitempty"`
	Outs    map[string]time.Time `bson:"o,omitempty"`
	Ins     map[string]time.Time `bson:"i,omitempty"`

	Word    time.Time              `bson:"ow,omitempty"`
	AllOuts map[string][]time.Time `bson:"oa,omitempty"`
	Before  map[string]time.Time   `bson:"sb,omitempty"`
	Known   map[string][]time.Time `bson:"sk,omitempty"`
	OldWord time.Time              `bson:"od,omitempty"`
	Moved   []movedTo              `bson:"mv,omitempty"`
}

// A recipient is what all documents of a key come to, and those of them that a write replaces.
type recipient struct {
	document
	key    string
	stored map[string]*storedDocument // by _id
}

// recipientsOf makes recipients of documents.
func recipientsOf(docs []storedDocument) map[string]*recipient {
	var parts []part
	recipients := map[string]*recipient{}
	seen := map[string]bool{}
	for i := range docs {
		s := &docs[i]
		if seen[s.ID] {
			continue // it was found by its _id and by its key
		}
		seen[s.ID] = true
		key := job.Key(s.ID)
		r := recipients[key]
		if r == nil {
			r = &recipient{key: key, stored: map[string]*storedDocument{}}
			recipients[key] = r
		}
		if s.bare() {
			parts = append(parts, part{s.ID, document{flags: s.flags(), bounces: sorted(s.Bounces), spam: sorted(s.Spam), updated: s.updated()}, true})
			continue
		}
		r.stored[s.ID] = s
		parts = append(parts, part{s.ID, s.document(), false})
	}
	for key, d := range assemble(parts) {
		recipients[key].document = *d
	}
	return recipients
}

// bare tells whether 0.4.0 stored the document under a spelling of its own, where no later version writes.
func (s *storedDocument) bare() bool { return s.Version == 0 && s.ID != strings.ToLower(s.ID) }

// document reads a document of ours. Flags that do not follow from the rest are the word of a 0.4.0, which knew no more
// than f and ts.
func (s *storedDocument) document() document {
	kept := state{
		Own: s.Own, Since: s.Since, Outs: byBit(s.Outs), Ins: byBit(s.Ins), Bounces: s.Bounces, Spam: s.Spam, Updated: s.updated(),
		Word: s.Word, AllOuts: byBit(s.AllOuts), Before: byBit(s.Before), Known: byBit(s.Known), OldWord: s.OldWord,
	}
	d := kept.document()
	d.moved = movedFrom(s.Moved)
	if d.said() {
		d.settle()
	}
	flags := s.flags()
	if flags != 0 && (flags^d.flags)&^job.FlagsAllAllowed != 0 || flags != 0 && !d.said() {
		d.setFlags(flags, s.updated())
		d.oldWord = later(d.oldWord, second(s.updated()))
	} else if flags != 0 {
		d.flags = flags
	}
	return d
}

// models write the recipient back over what was read, and over nothing else, and under the ids of copies too.
func (r *recipient) models(copies []string) []mongo.WriteModel {
	models := []mongo.WriteModel{r.model(r.key)}
	for _, id := range idsOf(r.key, r.stored, r.restricts(), copies) {
		models = append(models, r.model(id))
	}
	return models
}

// agrees tells whether the documents beside the one under the key say so much of the flags as older versions read, and
// whether all copies are there.
func (r *recipient) agrees(copies []string) bool {
	for id, s := range r.stored {
		if id != r.key && s.flags() != r.flags {
			return false
		}
	}
	for _, id := range copies {
		if r.stored[id] == nil && r.restricts() {
			return false
		}
	}
	return true
}

func (r *recipient) model(id string) mongo.WriteModel {
	s := r.state()
	fields := bson.D{
		{Key: "f", Value: s.Flags}, {Key: "ts", Value: s.Updated}, {Key: "of", Value: s.Own}, {Key: "ot", Value: s.Since},
		{Key: "o", Value: byName(s.Outs)}, {Key: "i", Value: byName(s.Ins)},
		{Key: "b", Value: orEmpty(s.Bounces)}, {Key: "s", Value: orEmpty(s.Spam)},
		{Key: "ow", Value: s.Word}, {Key: "oa", Value: byName(s.AllOuts)}, {Key: "sb", Value: byName(s.Before)},
		{Key: "sk", Value: byName(s.Known)}, {Key: "od", Value: s.OldWord}, {Key: "mv", Value: r.movedTo()},
	}
	if id != r.key {
		fields = append(fields, bson.E{Key: keyField, Value: r.key})
	}
	stored := r.stored[id]
	if stored == nil {
		return mongo.NewInsertOneModel().SetDocument(append(bson.D{{Key: "_id", Value: id}, {Key: "v", Value: int64(1)}}, fields...))
	}
	fields = append(fields, bson.E{Key: "v", Value: stored.Version + 1})
	filter := bson.D{{Key: "_id", Value: id}, unchanged("f", stored.Flags), unchanged("ts", stored.Updated)}
	if stored.Version == 0 {
		filter = append(filter, bson.E{Key: "v", Value: bson.D{{Key: "$exists", Value: false}}})
	} else {
		filter = append(filter, bson.E{Key: "v", Value: stored.Version})
	}
	return mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(bson.D{{Key: "$set", Value: fields}})
}

// unchanged matches a field that is still as it was read: a 0.4.0 beside us changes f and ts, but not v.
func unchanged(field string, value bson.RawValue) bson.E {
	if value.IsZero() {
		return bson.E{Key: field, Value: bson.D{{Key: "$exists", Value: false}}}
	}
	return bson.E{Key: field, Value: bson.D{{Key: "$eq", Value: value}}}
}

func (s *storedDocument) flags() int64 {
	flags, _ := s.Flags.AsInt64OK()
	return flags
}

func (s *storedDocument) updated() time.Time {
	at, _ := s.Updated.TimeOK() // a list has no time that means anything here: it came without flags
	return at.UTC()
}

func byBit[V any](names map[string]V) map[int]V {
	bits := make(map[int]V, len(names))
	for name, value := range names {
		if bit, err := strconv.Atoi(name); err == nil {
			bits[bit] = value
		}
	}
	return bits
}

func byName[V any](bits map[int]V) map[string]V {
	names := make(map[string]V, len(bits))
	for bit, value := range bits {
		names[strconv.Itoa(bit)] = value
	}
	return names
}

func orEmpty[V any](list []V) []V {
	if list == nil {
		return []V{}
	}
	return list
}
