package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/levenlabs/postmaster/pkg/heartbeat"
	"github.com/levenlabs/postmaster/pkg/idempotency"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

const (
	defaultDatabase = "postmaster"
	// connectTimeout is how long Open waits for the server's first answer.
	connectTimeout = 5 * time.Second
	// operationTimeout bounds an operation whose context has no deadline, unless the URI has a timeoutMS.
	operationTimeout = 10 * time.Second
)

func openMongo(ctx context.Context, addr string, log zerolog.Logger) (*Stores, error) {
	client, err := mongo.Connect(clientOptions(addr))
	if err != nil {
		return nil, fmt.Errorf("--mongo-addr: %w", explainURI(addr, err))
	}
	s, err := prepareMongo(ctx, client.Database(databaseName(addr), options.Database().SetReadPreference(readpref.Primary())), log)
	if err != nil {
		disconnect(client)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("open the store: %w", ctx.Err())
		}
		return nil, fmt.Errorf("--mongo-addr: %w", explain(err))
	}
	s.close = append(s.close, func() error { disconnect(client); return nil })
	return s, nil
}

// prepareMongo makes the stores of a database after its server has answered once.
func prepareMongo(ctx context.Context, db *mongo.Database, log zerolog.Logger) (*Stores, error) {
	ping := func(ctx context.Context) error { return explain(db.Client().Ping(ctx, readpref.Primary())) }
	first, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := db.Client().Ping(first, readpref.Primary()); err != nil {
		return nil, err
	}
	records, err := stats.NewMongo(ctx, db, log)
	if err != nil {
		return nil, err
	}
	preferences, err := prefs.NewMongo(ctx, db, log)
	if err != nil {
		return nil, errors.Join(err, records.Close())
	}
	keys, err := idempotency.NewMongo(ctx, db)
	if err != nil {
		return nil, errors.Join(err, records.Close(), preferences.Close())
	}
	beats, err := heartbeat.NewMongo(ctx, db)
	if err != nil {
		return nil, errors.Join(err, records.Close(), preferences.Close())
	}
	return &Stores{Prefs: preferences, Stats: records, Keys: keys, Beats: beats, ping: ping, close: []func() error{records.Close, preferences.Close}}, nil
}

// clientOptions are the defaults, and over them what the URI says. A write is acknowledged once it survives the loss of
// a server: the ledger is worth nothing otherwise.
func clientOptions(addr string) *options.ClientOptions {
	journal := true
	return options.Client().
		SetAppName("postmaster").
		SetTimeout(operationTimeout).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journal}).
		ApplyURI(mongoURI(addr))
}

func mongoURI(addr string) string {
	if strings.Contains(addr, "://") {
		return addr
	}
	return "mongodb://" + addr
}

// databaseName reads the path of the URI.
func databaseName(addr string) string {
	_, rest, _ := strings.Cut(mongoURI(addr), "://")
	rest, _, _ = strings.Cut(rest, "?")
	_, path, _ := strings.Cut(rest, "/")
	if name, err := url.PathUnescape(path); err == nil && name != "" {
		return name
	}
	return defaultDatabase
}

func validateMongoAddr(addr string) error {
	scheme, _, isURI := strings.Cut(addr, "://")
	switch {
	case !isURI:
		return validateAddrs(addr)
	case scheme == "mongodb+srv":
		return nil // reading it means asking DNS, which is for Open
	case scheme != "mongodb":
		return errors.New("must be host:port or a mongodb:// or mongodb+srv:// URI")
	}
	if err := clientOptions(addr).Validate(); err != nil {
		return explainURI(addr, err)
	}
	return nil
}

// explainURI tells what is wrong with a URI without repeating any of its user name and password: it reports the fault
// that the URI has without them, if it has one.
func explainURI(addr string, err error) error {
	scheme, rest, _ := strings.Cut(addr, "://")
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return err
	}
	if scheme == "mongodb" {
		if err := clientOptions(scheme + "://" + rest[at+1:]).Validate(); err != nil {
			return err
		}
	}
	return errors.New("bad URI: are : / ? # [ ] @ and % in the user name and password written as %3A and so on?")
}

// explain makes one short line of what the driver says when no server can be had.
func explain(err error) error {
	var selection topology.ServerSelectionError
	if !errors.As(err, &selection) {
		return err
	}
	var faults []string
	for _, server := range selection.Desc.Servers {
		var number syscall.Errno
		switch {
		case errors.As(server.LastError, &number):
			faults = append(faults, fmt.Sprintf("%s: %s", server.Addr, number))
		case server.LastError != nil:
			faults = append(faults, fmt.Sprintf("%s: %s", server.Addr, server.LastError))
		default:
			faults = append(faults, fmt.Sprintf("%s: no answer", server.Addr))
		}
	}
	if len(faults) == 0 {
		return err
	}
	return errors.New(strings.Join(faults, "; "))
}

// disconnect closes the client's connections. None is in use, so there is nothing to wait for or to go wrong.
func disconnect(client *mongo.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = client.Disconnect(ctx)
}
