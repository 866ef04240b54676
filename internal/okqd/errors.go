package okqd

import (
	"cmp"
	"errors"
	"strconv"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// The error replies. What follows a colon or stands in a name is added where they are used.
const (
	errMissingArgs     = "ERR missing args"
	errUnknownCommand  = "ERR unknown command "
	errInvalidCommand  = "ERR invalid command"
	errDuplicate       = "ERR duplicate event "
	errBadValue        = "ERR bad " // + what + " value: " + why
	errTooBusy         = "ERR too busy to process NOBLOCK event"
	errDiskFull        = "ERR disk full: pushes are refused until there is room, pops and acks go on"
	errUnconfirmed     = "ERR not confirmed in time: it may be done or not, repeat it with the same id"
	errEvicts          = "ERR redis may evict events: pushes are refused until its maxmemory-policy is noeviction"
	errUnexpected      = "ERR unexpected server-side error"
	errTooManyClients  = "ERR max number of clients reached"
	errNoMemory        = "ERR too busy to take a command of this size"
	errNoReplyMemory   = "ERR too busy to give contents of this size"
	errDBIndex         = "ERR DB index is out of range"
	errSyntax          = "ERR syntax error"
	errNoCluster       = "ERR This instance has cluster support disabled"
	errNoPassword      = "ERR AUTH called without any password configured"
	errNoAuth          = "NOAUTH Authentication required."
	errNoAuthHello     = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	errWrongPass       = "WRONGPASS invalid username-password pair or user is disabled."
	errProtocolVersion = "NOPROTO unsupported protocol version"
)

// errorReply maps what an engine answers to the wire. A text that is not for clients becomes errUnexpected.
func errorReply(op *engine.Op) string {
	var bad *badValueError
	switch err := op.Err; {
	case errors.As(err, &bad):
		return bad.Error()
	case errors.Is(err, errArgs):
		return errMissingArgs
	case errors.Is(err, engine.ErrDuplicate):
		return errDuplicate + cmp.Or(string(op.NewID), string(op.ID))
	case errors.Is(err, engine.ErrNoRoom):
		return errNoReplyMemory
	case errors.Is(err, engine.ErrBusy):
		return errTooBusy
	case errors.Is(err, engine.ErrDiskFull):
		return errDiskFull
	case errors.Is(err, engine.ErrEvicts):
		return errEvicts
	case errors.Is(err, engine.ErrUnconfirmed):
		return errUnconfirmed
	default:
		return errUnexpected
	}
}

// internal tells whether the error's text is only for the log.
func internal(op *engine.Op) bool { return op.Err != nil && errorReply(op) == errUnexpected }

var errArgs = errors.New("missing args")

// badValueError is an argument that cannot be.
type badValueError struct{ what, why string }

func (e *badValueError) Error() string { return errBadValue + e.what + " value: " + e.why }

func badValue(what, why string) error { return &badValueError{what, why} }

// quoted is a client's own words in an error, short and without line breaks.
func quoted(b []byte) string {
	const most = 128
	if len(b) > most {
		return strconv.Quote(string(b[:most])) + "..."
	}
	return strconv.Quote(string(b))
}
