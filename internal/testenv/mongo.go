package testenv

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// dropTimeout bounds the clean-up, which also runs after a test that found the server gone.
const dropTimeout = 20 * time.Second

// Mongo returns the URI of a MongoDB server, naming a database that only this test uses. The database is dropped
// when the test ends, so tests may run side by side.
func Mongo(tb testing.TB) string {
	tb.Helper()
	base := require(tb, "PM_TEST_MONGO", "a MongoDB server, mongodb:// URI", serverHint)
	name := "pmtest_" + strings.ToLower(rand.Text())
	uri, err := withDatabase(base, name)
	if err != nil {
		tb.Fatalf("PM_TEST_MONGO: %v", err)
	}
	tb.Cleanup(func() {
		if err := dropDatabase(base, name); err != nil {
			tb.Errorf("drop database %s: %v", name, err)
		}
	})
	return uri
}

// withDatabase puts the database into the URI's path. A login given without authSource keeps being checked
// against the database where it was before, which is "admin" unless the URI named one. (net/url refuses some
// lists of hosts, hence by hand.)
func withDatabase(base, name string) (string, error) {
	scheme, rest, ok := strings.Cut(base, "://")
	if !ok || !strings.HasPrefix(scheme, "mongodb") {
		return "", errors.New("not a mongodb:// URI") // without the text: it may hold a password
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, before, _ := strings.Cut(rest, "/")
	if strings.Contains(hosts, "@") && !strings.Contains(query, "authSource=") {
		query = strings.TrimPrefix(query+"&authSource="+cmp.Or(before, "admin"), "&")
	}
	uri := scheme + "://" + hosts + "/" + name
	if query != "" {
		uri += "?" + query
	}
	return uri, nil
}

// dropDatabase uses a connection of its own: the test has closed its clients by now.
func dropDatabase(uri, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(dropTimeout))
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx) //nolint:errcheck // nothing is pending on it
	return client.Database(name).Drop(ctx)
}
