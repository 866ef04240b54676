package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// dropDatabase removes what a row has left.
func dropDatabase(uri string) error {
	cs, err := connstring.Parse(uri)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(cs.Database, "pmchaos_") {
		return fmt.Errorf("%q is not a database of ours", cs.Database)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx) //nolint:errcheck // the program ends
	return client.Database(cs.Database).Drop(ctx)
}
