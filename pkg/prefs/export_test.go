package prefs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
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

// FlagsFor25f7307 are the flags of an address as 25f7307 reads them: what is stored under the address in lower case.
func FlagsFor25f7307(ctx context.Context, s Store, address string) (flags int64, err error) {
	switch s := s.(type) {
	case *SQLite:
		err = s.read.QueryRowContext(ctx, `SELECT coalesce(max(f), 0) FROM emails WHERE address = ?`, strings.ToLower(address)).Scan(&flags)
	case *Mongo:
		found, e := s.find(ctx, "_id", []string{strings.ToLower(address)}, nil)
		if err = e; len(found) > 0 {
			flags = found[0].flags()
		}
	}
	return flags, err
}

// SetFlagsAs25f7307 writes an own word as 25f7307 does, over what there is.
func SetFlagsAs25f7307(ctx context.Context, s Store, address string, flags int64, at time.Time) error {
	id := strings.ToLower(address)
	switch s := s.(type) {
	case *SQLite:
		doc := fmt.Sprintf(`{"f":%d,"of":%d,"ot":%q,"ts":%q}`, flags, flags, at.Format(time.RFC3339), at.Format(time.RFC3339))
		_, err := s.write.ExecContext(ctx, `INSERT INTO emails (address, f, doc) VALUES (?, ?, ?)
			ON CONFLICT (address) DO UPDATE SET f = excluded.f, doc = excluded.doc`, id, flags, doc)
		return err
	case *Mongo:
		_, err := s.emails.UpdateByID(ctx, id, bson.D{
			{Key: "$set", Value: bson.D{{Key: "f", Value: flags}, {Key: "of", Value: flags}, {Key: "ot", Value: at}, {Key: "ts", Value: at},
				{Key: "o", Value: bson.D{}}, {Key: "i", Value: bson.D{}}, {Key: "b", Value: bson.A{}}, {Key: "s", Value: bson.A{}}}},
			{Key: "$inc", Value: bson.D{{Key: "v", Value: int64(1)}}},
		}, options.UpdateOne().SetUpsert(true))
		return err
	}
	return fmt.Errorf("no store of ours: %T", s)
}
