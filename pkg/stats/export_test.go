package stats

import "go.mongodb.org/mongo-driver/v2/mongo"

// Records is the collection of a store in MongoDB.
func Records(s Store) *mongo.Collection { return s.(*Mongo).records }
