package prefs

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/levenlabs/postmaster/pkg/job"
)

// Flags implements Store. What is stored under a key is all there is to know of nearly every recipient. Only for those
// that have something under other spellings are documents read as a whole.
func (m *Mongo) Flags(ctx context.Context, addresses []string) (map[string]int64, error) {
	if err := m.keys.finished(); err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return nil, nil
	}
	byKey, err := m.flags(ctx, addresses)
	if err != nil {
		return nil, available(fmt.Errorf("read flags: %w", err))
	}
	return byAddress(addresses, byKey), nil
}

func (m *Mongo) flags(ctx context.Context, addresses []string) (map[string]int64, error) {
	found, err := m.find(ctx, "_id", spellings(addresses), bson.D{{Key: "f", Value: 1}})
	if err != nil {
		return nil, err
	}
	others, err := m.find(ctx, keyField, keys(addresses), bson.D{{Key: "_id", Value: 1}})
	if err != nil {
		return nil, err
	}
	byKey := map[string]int64{}
	var ids []string // of documents under other spellings, and their keys
	for _, s := range append(found, others...) {
		if key := job.Key(s.ID); s.ID != key {
			ids = append(ids, s.ID, key)
		} else if flags := s.flags(); flags != 0 {
			byKey[key] = flags
		}
	}
	if len(ids) == 0 {
		return byKey, nil
	}
	found, err = m.find(ctx, "_id", ids, nil)
	if err != nil {
		return nil, err
	}
	for key, r := range recipientsOf(found) {
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
	r, err := m.one(ctx, address)
	if err != nil {
		return About{}, available(fmt.Errorf("read recipient: %w", err))
	}
	return r.about(), nil
}

// one returns the recipient of an address, of whom nothing may be stored.
func (m *Mongo) one(ctx context.Context, address string) (*recipient, error) {
	recipients, err := m.load(ctx, []string{address})
	if err != nil {
		return nil, err
	}
	key := job.Key(address)
	if r := recipients[key]; r != nil {
		return r, nil
	}
	return &recipient{key: key}, nil
}

// load returns the recipients of addresses that have anything stored, by their keys.
func (m *Mongo) load(ctx context.Context, addresses []string) (map[string]*recipient, error) {
	own, err := m.find(ctx, "_id", spellings(addresses), nil)
	if err != nil {
		return nil, err
	}
	others, err := m.find(ctx, keyField, keys(addresses), nil)
	if err != nil {
		return nil, err
	}
	return recipientsOf(append(own, others...)), nil
}

func keys(addresses []string) []string {
	all := make([]string, len(addresses))
	for i, a := range addresses {
		all[i] = job.Key(a)
	}
	slices.Sort(all)
	return slices.Compact(all)
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
