package hooks

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
)

// maxBody is the largest POST that is read: ten times what SendGrid gathers before it sends.
const maxBody = 8 << 20

// firstRead is what a body gets before anything of it has arrived.
const firstRead = 64 << 10

// A budget bounds the memory of all bodies together. A body takes its share as it arrives and not by what its header
// promises, so that those who promise and do not send hold next to nothing.
type budget struct {
	sem  *semaphore.Weighted
	held prometheus.Gauge
}

func newBudget(bytes int64, held prometheus.Gauge) budget {
	return budget{semaphore.NewWeighted(bytes), held}
}

func (b budget) take(n int64) bool {
	ok := b.sem.TryAcquire(n)
	if ok {
		b.held.Add(float64(n))
	}
	return ok
}

// A share is what one body holds of the budget, until all who use the body, or what was made of it, have let go.
type share struct {
	budget  budget
	bytes   int64
	holders atomic.Int32
}

// hold counts one more who has to let go.
func (s *share) hold() { s.holders.Add(1) }

func (s *share) letGo() {
	if s.holders.Add(-1) == 0 {
		s.budget.give(s.bytes)
	}
}

func (b budget) give(n int64) {
	b.sem.Release(n)
	b.held.Sub(float64(n))
}

// read returns the body and its share, never nil, which the caller holds. It does not wait for memory: SendGrid comes
// again.
func (b budget) read(r *http.Request) (body []byte, held *share, _ *refusal) {
	held = &share{budget: b}
	held.hold()
	if r.ContentLength > maxBody {
		return nil, held, refuse(http.StatusRequestEntityTooLarge, reasonTooLarge)
	}
	for {
		if len(body) == cap(body) {
			size := nextSize(len(body), r.ContentLength)
			if !b.take(size - held.bytes) {
				return nil, held, refuse(http.StatusServiceUnavailable, reasonBusy)
			}
			held.bytes = size
			body = append(make([]byte, 0, size), body...)
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > maxBody:
			return nil, held, refuse(http.StatusRequestEntityTooLarge, reasonTooLarge)
		case err == io.EOF:
			return body, held, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, held, refuse(http.StatusRequestTimeout, reasonRead).because(err)
		case err != nil:
			return nil, held, refuse(http.StatusBadRequest, reasonRead).because(err)
		}
	}
}

// nextSize is how much room a body gets once it has filled size: one byte more than it may have, to see its end.
func nextSize(size int, contentLength int64) int64 {
	next := max(firstRead, 4*int64(size))
	if contentLength >= 0 {
		next = min(next, contentLength+1)
	}
	return min(next, maxBody+1)
}
