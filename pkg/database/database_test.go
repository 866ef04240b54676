package database_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/levenlabs/postmaster/pkg/database"
)

func TestUnavailableIsWhatARetryMayMend(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"deadline", context.DeadlineExceeded, true},
		{"caller gave up", context.Canceled, false},
		{"refused", &net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		{"cut", io.EOF, true},
		{"no primary", mongo.CommandError{Code: 10107}, true},
		{"the server's own storage is away", mongo.CommandError{Code: 1}, true},
		{"not authorized", mongo.CommandError{Code: 13}, false},
		{"bad document", mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 2}}}, false},
		{"disconnected", mongo.ErrClientDisconnected, true},
		{"no document", mongo.ErrNoDocuments, false},
		{"other", errors.New("other"), false},
	} {
		for range 2 {
			if got := database.Unavailable(tc.err); got != tc.want {
				t.Errorf("%s: Unavailable = %v, want %v", tc.name, got, tc.want)
			}
			if tc.err != nil {
				tc.err = fmt.Errorf("read flags: %w", tc.err)
			}
		}
	}
}

func TestDuplicatesHideNoOtherError(t *testing.T) {
	t.Parallel()
	duplicate := func(i int) mongo.BulkWriteError {
		return mongo.BulkWriteError{WriteError: mongo.WriteError{Index: i, Code: 11000}}
	}
	other := mongo.BulkWriteError{WriteError: mongo.WriteError{Index: 1, Code: 2}}
	for _, tc := range []struct {
		name string
		err  error
		want []int
		fail bool
	}{
		{"nothing", nil, nil, false},
		{"duplicates", mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{duplicate(3), duplicate(5)}}, []int{3, 5}, false},
		{"and another", mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{duplicate(3), other}}, nil, true},
		{"not on enough servers", mongo.BulkWriteException{
			WriteErrors: []mongo.BulkWriteError{duplicate(3)}, WriteConcernError: &mongo.WriteConcernError{Code: 64},
		}, nil, true},
		{"no bulk", io.EOF, nil, true},
	} {
		got, err := database.Duplicates(tc.err)
		if !slices.Equal(got, tc.want) || (err != nil) != tc.fail {
			t.Errorf("%s: %v, %v; want %v", tc.name, got, err, tc.want)
		}
	}
}
