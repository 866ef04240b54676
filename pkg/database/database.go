// Package database holds what the stores share about their two databases, MongoDB and SQLite: which errors say that
// the server is away, and how to write in a transaction. It opens nothing and knows no schema.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Unavailable tells whether err says that the database could not be reached, did not answer in time or has no room:
// the same call may well succeed later. A caller who gave up (context.Canceled) says nothing about the database.
func Unavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	var local *sqlite.Error
	if errors.As(err, &local) {
		return slices.Contains(sqliteAway, local.Code()&0xff) // the low byte: without its extended code
	}
	var netErr net.Error
	var server mongo.ServerError
	switch {
	case mongo.IsTimeout(err), mongo.IsNetworkError(err), errors.Is(err, mongo.ErrClientDisconnected):
		return true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF), errors.As(err, &netErr):
		return true
	case errors.As(err, &server):
		return slices.ContainsFunc(mongoAway, server.HasErrorCode) || server.HasErrorLabel("RetryableWriteError")
	}
	return errors.As(err, new(topology.ServerSelectionError)) || errors.As(err, new(topology.ConnectionError))
}

var sqliteAway = []int{
	sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
	sqlite3.SQLITE_INTERRUPT,
}

// mongoAway are the codes of servers that cannot serve now.
// Source: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
var mongoAway = []int{
	1,        // InternalError: what a server says whose own storage is away
	6, 7, 89, // HostUnreachable, HostNotFound, NetworkTimeout
	50, 262, 64, // MaxTimeMSExpired, ExceededTimeLimit, WriteConcernTimeout
	91, 11600, 11602, // ShutdownInProgress, InterruptedAtShutdown, InterruptedDueToReplStateChange
	189, 10107, 13435, // PrimarySteppedDown, NotWritablePrimary, NotPrimaryNoSecondaryOk
	13436, 9001, // NotPrimaryOrSecondary, SocketException
	100, 133, // UnsatisfiableWriteConcern, FailedToSatisfyReadPreference
}

// ErrDocument marks an error about one document, for what the databases' own errors do not say.
var ErrDocument = errors.New("bad document")

// AboutDocument reports whether err is the fault of a document that was to be written or read: the same call fails again
// while calls about others succeed. Every other error is about the database (its quota, its rights, its disk), and ends
// when somebody has seen to that.
func AboutDocument(err error) bool {
	if err == nil {
		return false
	}
	var local *sqlite.Error
	if errors.As(err, &local) {
		return slices.Contains(sqliteDocument, local.Code()&0xff)
	}
	var server mongo.ServerError
	if errors.As(err, &server) {
		codes := server.ErrorCodes()
		other := slices.ContainsFunc(codes, func(code int) bool { return !slices.Contains(mongoDocument, code) })
		return len(codes) > 0 && !other
	}
	return errors.Is(err, ErrDocument) || errors.Is(err, driver.ErrDocumentTooLarge) || errors.As(err, new(*bson.DecodeError)) ||
		errors.As(err, new(bson.ValueDecoderError)) || errors.As(err, new(bson.ValueEncoderError))
}

// sqliteDocument: a text or row that is too long, a constraint, a value of the wrong type, a parameter out of range.
var sqliteDocument = []int{sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE}

// Source: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
var mongoDocument = []int{
	2, 9, 14, 15, // BadValue, FailedToParse, TypeMismatch, Overflow
	16, 22, 28, // InvalidLength, InvalidBSON, PathNotViable
	52, 54, 55, 56, 57, // DollarPrefixedFieldName, NotSingleValueField, InvalidDBRef, EmptyFieldName, DottedFieldName
	66, 121, 11000, // ImmutableField, DocumentValidationFailure, DuplicateKey
	10334, 17280, 17419, 17420, // BSONObjectTooLarge, KeyTooLong, the new document would be too large
}

// patience is how long a transaction waits for those of other processes to end.
const patience = 10 * time.Second

// begin begins a transaction. SQLite's own waiting (busy_timeout) does not heed ctx, so it is expected to be short, and
// to be repeated here.
func begin(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	deadline := time.Now().Add(patience)
	for {
		tx, err := db.BeginTx(ctx, nil)
		var local *sqlite.Error
		if !errors.As(err, &local) || local.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(deadline) {
			return tx, err
		}
		if ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
	}
}

// InTransaction calls f in a transaction, which is committed if f returns nil and never happened otherwise.
func InTransaction(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := begin(ctx, db)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Duplicates sorts the error of an unordered bulk write: it returns which of the models met a document that has their
// _id, and err only if anything else went wrong.
func Duplicates(err error) (models []int, rest error) {
	var bulk mongo.BulkWriteException
	if err == nil || !errors.As(err, &bulk) || bulk.WriteConcernError != nil {
		return nil, err
	}
	for _, e := range bulk.WriteErrors {
		if !mongo.IsDuplicateKeyError(e) {
			return nil, err
		}
		models = append(models, e.Index)
	}
	return models, nil
}
