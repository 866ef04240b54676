package api

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/semaphore"

	"github.com/levenlabs/postmaster/pkg/job"
)

// What JSON becomes in memory is known before it is decoded: at most its own bytes, for the strings, and valueBytes for
// each of its values. An empty object of three bytes becomes a struct of eighty, and the slice that it is in grows.
const (
	valueBytes = 160
	maxNesting = 200 // arrays and objects in each other
	fewValues  = 256 // up to here the values of a small email are not worth counting against the budget
)

// weight is what decoding costs.
type weight struct{ values, depth int }

// weigh counts the values of valid JSON, and how deep they are in each other.
func weigh(value []byte) (w weight) {
	depth := 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i += stringEnd(value[i:]) - 1
		case '{', '[':
			w.values++
			depth++
			w.depth = max(w.depth, depth)
		case '}', ']':
			depth--
		case ',':
			w.values++
		}
	}
	w.values++
	return w
}

// decoding bounds the memory of all emails together that are decoded at one time. One that waits for its share holds
// nothing of it, and nobody who has a share waits for anything, so that it comes back within the time of a decode.
type decoding struct {
	limit int64
	room  *semaphore.Weighted
}

func newDecoding(limit int64) *decoding {
	return &decoding{limit: limit, room: semaphore.NewWeighted(limit)}
}

// take takes the share of params and returns the function that gives it back.
func (d *decoding) take(ctx context.Context, params []byte, w enqueueParams) (func(), error) {
	if w.depth > maxNesting {
		return nil, &job.FieldError{Field: w.heaviestName(), Reason: fmt.Sprintf("has values nested more than %d deep", maxNesting)}
	}
	if len(params) <= smallBody && w.values <= fewValues {
		return nothing, nil
	}
	share := int64(len(params)) + int64(w.values)*valueBytes
	if share > d.limit {
		return nil, &job.FieldError{Field: w.heaviestName(), Reason: fmt.Sprintf("has too many elements: %d values in all", w.values)}
	}
	ctx, cancel := context.WithTimeout(ctx, roomWait)
	defer cancel()
	if err := d.room.Acquire(ctx, share); err != nil {
		return nil, errors.Join(errBusy, err)
	}
	return func() { d.room.Release(share) }, nil
}
