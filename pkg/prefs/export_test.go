package prefs

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Dump writes out all that is stored under a key, but for what counts writes.
func Dump(ctx context.Context, s Store, key string) (string, error) {
	switch s := s.(type) {
	case *SQLite:
		var doc string
		err := s.read.QueryRowContext(ctx, `SELECT coalesce(max(doc), 'nothing') FROM emails WHERE address = ?`, key).Scan(&doc)
		return doc, err
	case *Mongo:
		recipients, err := s.load(ctx, []string{key})
		if err != nil || recipients[key] == nil {
			return "nothing", err
		}
		return fmt.Sprintf("%+v", recipients[key].document), nil
	}
	return "", fmt.Errorf("no store of ours: %T", s)
}

// Emails is the collection of a store in MongoDB.
func Emails(s Store) *mongo.Collection { return s.(*Mongo).emails }
