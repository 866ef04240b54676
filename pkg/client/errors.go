package client

import (
	"errors"
	"fmt"
)

// What callers may tell apart with errors.Is; everything else that pm-api answers is an *Error.
var (
	ErrInvalid     = errors.New("invalid params")             // -32602: Error.Data names the field
	ErrNoStore     = errors.New("no store configured")        // -32001
	ErrUnavailable = errors.New("queue or store unavailable") // -32002: safe to call again
	ErrKeyReused   = errors.New("idempotency key reused")     // -32003: with another mail
)

var byCode = map[int]error{-32602: ErrInvalid, -32001: ErrNoStore, -32002: ErrUnavailable, -32003: ErrKeyReused}

// An Error is pm-api's answer to a call that it did not carry out.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Field  string `json:"field"`
		Reason string `json:"reason"`
	} `json:"data"`
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// Is tells what kind of error it is.
func (e *Error) Is(target error) bool { return byCode[e.Code] == target }
