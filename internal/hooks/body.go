package hooks

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/levenlabs/postmaster/internal/buffers"
	"github.com/levenlabs/postmaster/internal/connlimit"
)

// maxBody is the largest POST that is read: ten times what SendGrid gathers before it sends.
const maxBody = 8 << 20

const (
	// firstRead is what a body gets before anything of it has arrived, unless it is to be smaller.
	firstRead = 4 << 10
	// secondRead is what it gets once that is full.
	secondRead = buffers.Smallest
	// growth is how many times as much it gets each time after that, if it has promised more.
	growth = 8
	// memoryWait is how long a body waits for memory that strangers hold.
	memoryWait = 2 * time.Second
	// memoryPoll is the time between two looks.
	memoryPoll = 20 * time.Millisecond
)

// A budget bounds the memory of all bodies together. A body takes its share as it arrives and not by what its header
// promises, so that those who promise and do not send hold next to nothing.
type budget struct {
	sem  *semaphore.Weighted
	held prometheus.Gauge

	// reclaim closes the slowest stranger but one, whose memory then comes back. It returns false when there is none.
	reclaim func(except *connlimit.Conn) bool
}

func newBudget(bytes int64, held prometheus.Gauge) budget {
	return budget{sem: semaphore.NewWeighted(bytes), held: held, reclaim: func(*connlimit.Conn) bool { return false }}
}

// take takes n bytes for a request. While there are none it closes strangers that are slower than the request's own
// client, and waits for their memory, but not long: two half-read bodies that waited for each other would be a deadlock.
func (b budget) take(r *http.Request, n int) bool {
	for end := time.Now().Add(memoryWait); !b.tryTake(n); {
		b.reclaim(connlimit.Of(r))
		select {
		case <-time.After(memoryPoll):
		case <-r.Context().Done():
			return false
		}
		if time.Now().After(end) {
			return b.tryTake(n)
		}
	}
	return true
}

func (b budget) tryTake(n int) bool {
	ok := b.sem.TryAcquire(int64(n))
	if ok {
		b.held.Add(float64(n))
	}
	return ok
}

// A share is what one body holds of the budget, until all who use the body, or what was made of it, have let go.
type share struct {
	budget  budget
	buffer  []byte      // its capacity is the share
	unsure  atomic.Bool // somebody may look at the buffer yet
	holders atomic.Int32
}

// hold counts one more who has to let go.
func (s *share) hold() { s.holders.Add(1) }

func (s *share) letGo() {
	if s.holders.Add(-1) > 0 {
		return
	}
	size := cap(s.buffer)
	if !s.unsure.Load() {
		buffers.Put(s.buffer)
	}
	s.budget.give(size)
}

// pushed lets go after a push. IMPORTANT: its client may go on sending for a moment what it has given up, so the memory must
// not become another body's unless the server has answered, and so has read all of it.
func (s *share) pushed(err error) {
	if err != nil {
		s.unsure.Store(true)
	}
	s.letGo()
}

func (b budget) give(n int) {
	b.sem.Release(int64(n))
	b.held.Sub(float64(n))
}

// read returns the body and its share, never nil, which the caller holds.
func (b budget) read(r *http.Request) (body []byte, held *share, _ *refusal) {
	held = &share{budget: b}
	held.hold()
	if r.ContentLength > maxBody {
		return nil, held, refuse(http.StatusRequestEntityTooLarge, reasonTooLarge).before()
	}
	for {
		if len(body) == cap(body) {
			size := nextSize(len(body), r.ContentLength)
			if !b.take(r, size-cap(held.buffer)) {
				return nil, held, refuse(http.StatusServiceUnavailable, reasonBusy).before()
			}
			body = append(buffers.Get(size)[:0], body...)
			buffers.Put(held.buffer)
			held.buffer = body
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > maxBody:
			return nil, held, refuse(http.StatusRequestEntityTooLarge, reasonTooLarge).before()
		case err == io.EOF:
			return body, held, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, held, refuse(http.StatusRequestTimeout, reasonRead).before().because(err)
		case err != nil:
			return nil, held, refuse(http.StatusBadRequest, reasonRead).before().because(err)
		}
	}
}

// nextSize is how much room a body gets once it has filled size: one byte more than it may have, to see its end.
func nextSize(size int, contentLength int64) int {
	next := firstRead
	if size > 0 {
		next = max(secondRead, growth*size)
	}
	if contentLength >= 0 {
		next = int(min(int64(next), contentLength+1))
	}
	return min(buffers.Size(next), maxBody+1)
}
