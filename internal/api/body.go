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

	"github.com/levenlabs/postmaster/internal/connlimit"
)

const (
	tinyBody   = 4 << 10  // what a body is read into first
	smallBody  = 64 << 10 // up to here a body is read into a buffer that is used again, and needs no room in the budget
	bodyGrowth = 8        // how many times as much room a larger body gets once it has filled what it had
	roomWait   = 20 * time.Second
	readGrace  = 5 * time.Second
	slowest    = 512 << 10 // bytes per second that all of a large body has to arrive with
)

// bodies reads requests and bounds the memory of the large ones together. A body takes its room as it arrives and not
// by what its header promises: a client that promises much and sends little holds little, and not for long, because
// every body has to keep a pace.
type bodies struct {
	max    int64
	spare  int64 // of the budget, beside the largest body
	room   *semaphore.Weighted
	wait   time.Duration  // how long a body waits for room
	grace  time.Duration  // the time of a body beside that of its size
	window connlimit.Pace // what has to arrive at least all along
	tiny   sync.Pool      // of *[tinyBody]byte
	small  sync.Pool      // of *[smallBody]byte
}

func newBodies(limit, held int64) *bodies {
	largest := limit + int64(idRoom) + 1
	held = max(held, largest) // alone, the largest body always has room
	return &bodies{
		max: limit, spare: held - largest, room: semaphore.NewWeighted(held), wait: roomWait, grace: readGrace,
		window: connlimit.Pace{Bytes: 64 << 10, Window: 5 * time.Second},
		tiny:   sync.Pool{New: func() any { return new([tinyBody]byte) }},
		small:  sync.Pool{New: func() any { return new([smallBody]byte) }},
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
	if r.ContentLength >= 0 && r.ContentLength <= tinyBody {
		return b.readTiny(r)
	}
	in := &incoming{b: b, w: w, r: r}
	release = in.release
	in.pace()
	for {
		if len(in.buf) == cap(in.buf) {
			if err := in.grow(); err != nil {
				return body{}, release, err
			}
		}
		n, err := in.body.Read(in.buf[len(in.buf):cap(in.buf)])
		in.buf = in.buf[:len(in.buf)+n]
		switch {
		case int64(len(in.buf)) > b.max:
			return body{}, release, &http.MaxBytesError{Limit: b.max}
		case err == io.EOF:
			return body{bytes: in.buf, owned: in.held > 0}, release, nil
		case err != nil:
			return body{}, release, fmt.Errorf("read body: %w", err)
		}
	}
}

// readTiny reads a body whose memory is not worth more than the server's own deadline. It has mostly come with the header.
func (b *bodies) readTiny(r *http.Request) (_ body, release func(), err error) {
	buf := b.tiny.Get().(*[tinyBody]byte)
	release = func() { b.tiny.Put(buf) }
	n := int(r.ContentLength)
	if _, err := io.ReadFull(r.Body, buf[:n]); err != nil {
		return body{}, release, fmt.Errorf("read body: %w", err)
	}
	return body{bytes: buf[:n]}, release, nil
}

// incoming is a body of which some has arrived.
type incoming struct {
	b     *bodies
	w     http.ResponseWriter
	r     *http.Request
	body  io.Reader // r's, with a pace
	buf   []byte
	held  int64           // room
	tiny  *[tinyBody]byte // the pools' buffers, if buf is one
	small *[smallBody]byte
}

// pace begins to ask for a pace: from here on, and not for the time that went before.
func (in *incoming) pace() {
	left := in.b.max
	if in.r.ContentLength >= 0 {
		left = in.r.ContentLength
	}
	p := in.b.window
	p.Total = in.b.grace + time.Duration(left-int64(len(in.buf)))*time.Second/slowest
	in.body = connlimit.PaceBody(in.w, in.r, p).Body
}

// grow gives the body more room: the pools' buffers first, then a share of the budget.
func (in *incoming) grow() error {
	expected := in.r.ContentLength // -1: chunked
	switch {
	case in.buf == nil:
		in.tiny = in.b.tiny.Get().(*[tinyBody]byte)
		in.buf = in.tiny[:0]
		return nil
	case in.tiny != nil:
		in.small = in.b.small.Get().(*[smallBody]byte)
		in.buf = append(in.small[:0], in.buf...)
		in.b.tiny.Put(in.tiny)
		in.tiny = nil
		return nil
	}
	size := min(int64(len(in.buf))*bodyGrowth, in.b.max)
	if expected >= 0 {
		size = min(size, expected)
	}
	size += int64(idRoom) + 1 // in which withID finds room, and a read finds the end
	waited, err := in.b.take(in.r, size-in.held)
	if err != nil {
		return err
	}
	in.held = size
	in.buf = append(make([]byte, 0, size), in.buf...)
	in.releaseSmall()
	if waited {
		in.pace()
	}
	return nil
}

func (in *incoming) releaseSmall() {
	if in.small != nil {
		in.b.small.Put(in.small)
		in.small = nil
	}
}

func (in *incoming) release() {
	if in.tiny != nil {
		in.b.tiny.Put(in.tiny)
		in.tiny = nil
	}
	in.releaseSmall()
	in.b.room.Release(in.held)
	in.held = 0
}

// take takes room for n bytes, and reports whether it had to wait. Bodies that stall while others wait are ended by the pace
// that all must keep. Half-read bodies that wait for each other all have an end: errBusy.
func (b *bodies) take(r *http.Request, n int64) (waited bool, err error) {
	if b.room.TryAcquire(n) {
		return false, nil
	}
	defer connlimit.Of(r).Hold()()
	ctx, cancel := context.WithTimeout(r.Context(), b.wait)
	defer cancel()
	if err := b.room.Acquire(ctx, n); err != nil {
		return true, errors.Join(errBusy, err)
	}
	return true, nil
}

// takeAnswers takes room for the answers of a batch before any call of it is made, and returns the function that gives it
// back. A call that was made must have its answer.
func (b *bodies) takeAnswers(ctx context.Context, calls int) (release func(), err error) {
	const few = 8
	if calls < few {
		return nothing, nil
	}
	n := 2 * min(int64(calls)*maxAnswer, maxAnswers+batchAtOnce*maxAnswer) // one by one, and then as one
	n = min(n, b.spare)                                                    // alone, a batch always has room
	ctx, cancel := context.WithTimeout(ctx, b.wait)
	defer cancel()
	if err := b.room.Acquire(ctx, n); err != nil {
		return nil, err
	}
	return func() { b.room.Release(n) }, nil
}
