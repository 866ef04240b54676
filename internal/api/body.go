package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	smallBody = 64 << 10 // up to here a body is read into a buffer that is used again, and needs no room in the budget
	roomWait  = 20 * time.Second
	readGrace = 5 * time.Second
	drainTime = 10 * time.Second
	slowest   = 512 << 10 // bytes per second that a large body has to arrive with
)

// bodies reads requests, and bounds what the large ones hold at one time. They hold their share from before they are
// read to the answer, because one that got half its share could only wait for others in the same need. They have to
// arrive at a pace, so that a client who promises much and sends little does not hold it for long.
type bodies struct {
	max   int64
	room  *semaphore.Weighted
	wait  time.Duration // how long a large body waits, unread, for those before it
	grace time.Duration // what a large body gets beside the time of its size
	small sync.Pool     // of *[smallBody]byte
}

func newBodies(limit, held int64) *bodies {
	return &bodies{
		max: limit, room: semaphore.NewWeighted(held), wait: roomWait, grace: readGrace,
		small: sync.Pool{New: func() any { return new([smallBody]byte) }},
	}
}

// A body is what a request brought.
type body struct {
	bytes []byte
	owned bool // the bytes may be written to, and kept; else they are used again once the request is answered
}

// read returns the body, and the function that gives its memory back, which is never nil. The error is errBusy, an
// *http.MaxBytesError, or what went wrong on the connection.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (_ body, release func(), err error) {
	if r.ContentLength > b.max {
		return body{}, func() {}, &http.MaxBytesError{Limit: b.max}
	}
	if r.ContentLength < 0 || r.ContentLength > smallBody {
		return b.readLarge(w, r)
	}
	buf := b.small.Get().(*[smallBody]byte)
	release = func() { b.small.Put(buf) }
	n := int(r.ContentLength)
	if _, err := io.ReadFull(r.Body, buf[:n]); err != nil {
		return body{}, release, fmt.Errorf("read body: %w", err)
	}
	return body{bytes: buf[:n]}, release, nil
}

func (b *bodies) readLarge(w http.ResponseWriter, r *http.Request) (_ body, release func(), err error) {
	share := r.ContentLength
	if share < 0 {
		share = b.max // chunked: it may get as large
	}
	ctx, cancel := context.WithTimeout(r.Context(), b.wait)
	defer cancel()
	if err := b.room.Acquire(ctx, share); err != nil {
		return body{}, func() {}, errors.Join(errBusy, err)
	}
	release = func() { b.room.Release(share) }
	conn := http.NewResponseController(w)
	deadline := time.Now().Add(b.grace + time.Duration(share/slowest)*time.Second)
	if err := conn.SetReadDeadline(deadline); err != nil {
		return body{}, release, fmt.Errorf("set read deadline: %w", err)
	}
	all, err := readAll(http.MaxBytesReader(w, r.Body, b.max), r.ContentLength)
	if err != nil {
		return body{}, release, fmt.Errorf("read body: %w", err)
	}
	// Past its deadline the connection would be taken for gone while the request is still worked on.
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return body{}, release, fmt.Errorf("clear read deadline: %w", err)
	}
	return body{bytes: all, owned: true}, release, nil
}

// drain reads what a refused client still sends, and forgets it. One that is cut off while it sends may never see its
// answer; one that waits to be told to go on does.
func (b *bodies) drain(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Expect") != "" {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.CopyN(io.Discard, r.Body, b.max)
}

// readAll reads a body of a known size into one buffer, in which withID finds room.
func readAll(r io.Reader, size int64) ([]byte, error) {
	if size < 0 {
		return io.ReadAll(r)
	}
	all := make([]byte, size, size+int64(idRoom))
	if _, err := io.ReadFull(r, all); err != nil {
		return nil, err
	}
	return all, nil
}
