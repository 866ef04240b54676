package okq

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// What callers branch on, with errors.Is.
var (
	// Push: an event of this ID is in the queue already, waiting or leased. After a push that failed with
	// ErrUnavailable it means that the first try had arrived: a success.
	ErrDuplicate = errors.New("duplicate event")
	// Push with NoBlock: the server has no room for it now.
	ErrBusy = errors.New("okq is too busy")
	// Any call: okq could not be reached, or could not do it now. It may have been done all the same; a push is safe
	// to repeat with the same ID, an ack always is.
	ErrUnavailable = errors.New("okq is unavailable")
	// Push or Redo with a delay: the server does not know DELAY (the original okq).
	ErrNoDelay = errors.New("this okq server has no delays")
	// Touch: the server does not know QTOUCH (the original okq).
	ErrNoTouch = errors.New("this okq server cannot extend leases")
	// Find: the server does not know QPEEK (the original okq).
	ErrNoFind = errors.New("this okq server cannot look for an event")
	// Scan: the server does not know QSCAN (the original okq).
	ErrNoScan = errors.New("this okq server cannot tell what is in a queue")
	// Move, Remove and Replace: the server does not know QMOVE, QREMOVE or QREPLACE (the original okq).
	ErrNoMove    = errors.New("this okq server cannot move events")
	ErrNoRemove  = errors.New("this okq server cannot remove only what is not leased")
	ErrNoReplace = errors.New("this okq server cannot replace events")
	// Any call after Close.
	ErrClosed = errors.New("okq client is closed")
)

// ServerError is an error reply that says the command was wrong, so that a repetition would not help.
type ServerError struct{ Text string }

func (e *ServerError) Error() string { return "okq answered: " + e.Text }

// errNil is a nil reply: nothing there.
var errNil = errors.New("nil reply")

// wrongCommand holds how the replies begin that a repetition would get again.
var wrongCommand = []string{"unknown command", "missing args", "bad ", "invalid", "wrong number", "syntax"}

// replyError turns an error reply, which rueidis hands out without its "ERR ", into one of the above.
func replyError(text string) error {
	switch {
	case strings.HasPrefix(text, "duplicate event"):
		return ErrDuplicate
	case strings.HasPrefix(text, "too busy to process NOBLOCK"):
		return ErrBusy
	}
	for _, prefix := range wrongCommand {
		if strings.HasPrefix(text, prefix) {
			return &ServerError{Text: text}
		}
	}
	return fmt.Errorf("%w: it answered: %s", ErrUnavailable, text)
}

// callError turns what rueidis returned into one of the above, and keeps rueidis' types inside.
func (c *Client) callError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if rueidis.IsRedisNil(err) {
		return errNil
	}
	if reply, ok := rueidis.IsRedisErr(err); ok {
		return replyError(reply.Error())
	}
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	if ctxErr := ctx.Err(); ctxErr != nil {
		return interrupted(ctxErr)
	}
	return fmt.Errorf("%w: %v", ErrUnavailable, err)
}

// interrupted is a call that its context ended: by its deadline, okq was too slow; cancelled, it was the caller's wish.
func interrupted(ctxErr error) error {
	if errors.Is(ctxErr, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrUnavailable, ctxErr)
	}
	return ctxErr
}
