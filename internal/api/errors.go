package api

import (
	"context"
	"errors"

	"github.com/levenlabs/postmaster/pkg/idempotency"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
	"github.com/levenlabs/postmaster/pkg/prefs"
	"github.com/levenlabs/postmaster/pkg/stats"
)

// The codes of errors. The first five are JSON-RPC's.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603
	CodeNoStore        = -32001
	CodeUnavailable    = -32002
	CodeKeyReused      = -32003
)

// rpcError is the error member of a response.
type rpcError struct {
	Code    int        `json:"code"`
	Message string     `json:"message"`
	Data    *fieldData `json:"data,omitempty"`
}

// fieldData says which field of the params is wrong.
type fieldData struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

func (e *rpcError) Error() string { return e.Message }

var (
	errParse      = &rpcError{Code: CodeParse, Message: "Parse error"}
	errNotFound   = &rpcError{Code: CodeMethodNotFound, Message: "Method not found"}
	errInternal   = &rpcError{Code: CodeInternal, Message: "Internal error"}
	errNoStore    = &rpcError{Code: CodeNoStore, Message: "no store configured: pm-api runs without --mongo-addr and --sqlite"}
	errQueueAway  = &rpcError{Code: CodeUnavailable, Message: "queue unreachable, try again"}
	errStoreAway  = &rpcError{Code: CodeUnavailable, Message: "store unreachable, try again"}
	errBusy       = &rpcError{Code: CodeUnavailable, Message: "busy with other large requests, try again"}
	errKeyReused  = &rpcError{Code: CodeKeyReused, Message: "idempotencyKey was used with another mail in the last 24 hours"}
	errBatchEmpty = invalidRequest("an empty batch")

	errBatchAnswers = invalidRequest("not called: the batch's answers are too large, make smaller batches")
)

func invalidRequest(why string) *rpcError {
	return &rpcError{Code: CodeInvalidRequest, Message: "Invalid Request: " + why}
}

// toRPC says what a caller hears of an error. Nothing of an unexpected one, since it may tell of the inside: that is
// for the log.
func toRPC(err error) *rpcError {
	var (
		rpc   *rpcError
		field *job.FieldError
	)
	switch {
	case errors.As(err, &rpc):
		return rpc
	case errors.As(err, &field):
		return &rpcError{
			Code: CodeInvalidParams, Message: field.Error(),
			Data: &fieldData{Field: field.Field, Reason: field.Reason},
		}
	case errors.Is(err, okq.ErrUnavailable), errors.Is(err, okq.ErrBusy), errors.Is(err, okq.ErrClosed):
		return errQueueAway
	case errors.Is(err, prefs.ErrUnavailable), errors.Is(err, stats.ErrUnavailable), errors.Is(err, idempotency.ErrUnavailable),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errStoreAway
	}
	return errInternal
}
