package prefs

import (
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// A storedDocument is a document in MongoDB. 0.4.0 had _id, f, b, s and ts, under the address as it was given.
type storedDocument struct {
	ID      string        `bson:"_id"`
	Flags   bson.RawValue `bson:"f,omitempty"`
	Bounces []time.Time   `bson:"b,omitempty"`
	Spam    []time.Time   `bson:"s,omitempty"`
	Updated bson.RawValue `bson:"ts,omitempty"` // 0.4.0 made it a list when a bounce came first

	Version int64                `bson:"v,omitempty"`  // counts our writes
	Own     int64                `bson:"of,omitempty"` // the recipient's own word
	Since   time.Time            `bson:"ot,omitempty"` // when it was given
	Outs    map[string]time.Time `bson:"o,omitempty"`  // by bit: the latest OptOut since
	Ins     map[string]time.Time `bson:"i,omitempty"`  // by bit: the latest OptIn since
}

// A recipient is the document of a key, together with what 0.4.0 stored under other spellings of it.
type recipient struct {
	document
	key    string
	stored *storedDocument // as read; nil if there is none under the key itself
}

// assemble makes recipients of documents. A spelling that 0.4.0 stored is an opt-out like any other: it counts unless
// the recipient has spoken since.
func assemble(docs []storedDocument) map[string]*recipient {
	recipients := map[string]*recipient{}
	// Documents under their key come first, so that spellings find what the recipient said since.
	slices.SortStableFunc(docs, func(a, b storedDocument) int { return order(a) - order(b) })
	for i := range docs {
		s := &docs[i]
		key := Key(s.ID)
		r := recipients[key]
		if r == nil {
			r = &recipient{key: key}
			recipients[key] = r
		}
		if s.ID == key {
			r.stored, r.document = s, s.document()
			continue
		}
		flags, at := s.flags(), s.updated()
		r.record(Incident{Kind: OptOut, At: at, Flags: flags})
		if r.flags == 0 {
			r.flags = flags
		}
	}
	return recipients
}

func order(s storedDocument) int {
	if s.ID == Key(s.ID) {
		return 0
	}
	return 1
}

// document reads a document under its own key. Flags that do not follow from the rest are the word of a 0.4.0, which
// knew no more than f and ts.
func (s *storedDocument) document() document {
	d := document{
		own: s.Own, since: s.Since, outs: byBit(s.Outs), ins: byBit(s.Ins),
		bounces: sorted(s.Bounces), spam: sorted(s.Spam), updated: s.updated(),
	}
	flags := s.flags()
	if d.flags = flags; len(d.outs)+len(d.ins) > 0 {
		d.settle()
	} else if d.own != 0 {
		d.flags = d.own
	} else {
		d.flags = 0
	}
	if flags != 0 && flags != d.flags {
		d.setFlags(flags, s.updated())
	}
	return d
}

// model writes the recipient back over what was read, and over nothing else.
func (r *recipient) model() mongo.WriteModel {
	fields := bson.D{
		{Key: "f", Value: r.flags}, {Key: "ts", Value: r.updated}, {Key: "of", Value: r.own}, {Key: "ot", Value: r.since},
		{Key: "o", Value: byName(r.outs)}, {Key: "i", Value: byName(r.ins)},
		{Key: "b", Value: orEmpty(r.bounces)}, {Key: "s", Value: orEmpty(r.spam)},
	}
	if r.stored == nil {
		return mongo.NewInsertOneModel().SetDocument(append(bson.D{{Key: "_id", Value: r.key}, {Key: "v", Value: int64(1)}}, fields...))
	}
	fields = append(fields, bson.E{Key: "v", Value: r.stored.Version + 1})
	filter := bson.D{{Key: "_id", Value: r.key}, unchanged("f", r.stored.Flags), unchanged("ts", r.stored.Updated)}
	if r.stored.Version == 0 {
		filter = append(filter, bson.E{Key: "v", Value: bson.D{{Key: "$exists", Value: false}}})
	} else {
		filter = append(filter, bson.E{Key: "v", Value: r.stored.Version})
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

func byBit(names map[string]time.Time) map[int]time.Time {
	times := make(map[int]time.Time, len(names))
	for name, at := range names {
		if bit, err := strconv.Atoi(name); err == nil {
			times[bit] = at
		}
	}
	return times
}

func byName(times map[int]time.Time) map[string]time.Time {
	names := make(map[string]time.Time, len(times))
	for bit, at := range times {
		names[strconv.Itoa(bit)] = at
	}
	return names
}

// sorted makes a set of the list that 0.4.0 appended to.
func sorted(times []time.Time) []time.Time {
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	return times[max(0, len(times)-MaxIncidentTimes):]
}

func orEmpty(times []time.Time) []time.Time {
	if times == nil {
		return []time.Time{}
	}
	return times
}
