package prefs

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Flags implements Store. What is stored under a key is all there is to know of nearly every recipient. Only for those
// that 0.4.0 has stored under other spellings are documents read as a whole.
func (m *Mongo) Flags(ctx context.Context, addresses []string) (map[string]int64, error) {
	if err := m.keys.finished(); err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return nil, nil
	}
	keys := make([]string, len(addresses))
	for i, a := range addresses {
		keys[i] = Key(a)
	}
	byKey, err := m.flags(ctx, keys, addresses)
	if err != nil {
		return nil, available(fmt.Errorf("read flags: %w", err))
	}
	return byAddress(addresses, byKey), nil
}

func (m *Mongo) flags(ctx context.Context, keys, addresses []string) (map[string]int64, error) {
	spelled := slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return a == Key(a) })
	found, err := m.find(ctx, "_id", slices.Concat(keys, spelled), bson.D{{Key: "f", Value: 1}})
	if err != nil {
		return nil, err
	}
	others, err := m.find(ctx, "k", keys, bson.D{{Key: "_id", Value: 1}})
	if err != nil {
		return nil, err
	}
	byKey := map[string]int64{}
	var spellings []string // as stored, and their keys
	for _, s := range append(found, others...) {
		if key := Key(s.ID); s.ID != key {
			spellings = append(spellings, s.ID, key)
		} else if flags := s.flags(); flags != 0 {
			byKey[key] = flags
		}
	}
	if len(spellings) == 0 {
		return byKey, nil
	}
	found, err = m.find(ctx, "_id", spellings, nil)
	if err != nil {
		return nil, err
	}
	for key, r := range assemble(found) {
		if r.document.flags != 0 {
			byKey[key] = r.document.flags
		}
	}
	return byKey, nil
}

// About implements Store.
func (m *Mongo) About(ctx context.Context, address string) (About, error) {
	if err := m.keys.finished(); err != nil {
		return About{}, err
	}
	key := Key(address)
	recipients, err := m.load(ctx, []string{key})
	if err != nil {
		return About{}, available(fmt.Errorf("read recipient: %w", err))
	}
	d := &document{}
	if r := recipients[key]; r != nil {
		d = &r.document
	}
	return d.about(), nil
}

// load returns the recipients of keys that have anything stored, as they stand after the back-fill.
func (m *Mongo) load(ctx context.Context, keys []string) (map[string]*recipient, error) {
	own, err := m.find(ctx, "_id", keys, nil)
	if err != nil {
		return nil, err
	}
	others, err := m.find(ctx, "k", keys, nil)
	if err != nil {
		return nil, err
	}
	return assemble(append(own, others...)), nil
}

// find returns the documents whose field is one of values. (One query for both fields took twice the time of two.)
func (m *Mongo) find(ctx context.Context, field string, values []string, projection bson.D) ([]storedDocument, error) {
	found := options.Find()
	if projection != nil {
		found.SetProjection(projection)
	}
	cursor, err := m.emails.Find(ctx, bson.D{{Key: field, Value: bson.D{{Key: "$in", Value: values}}}}, found)
	if err != nil {
		return nil, err
	}
	var stored []storedDocument
	err = cursor.All(ctx, &stored)
	return stored, err
}
