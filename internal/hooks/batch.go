package hooks

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// maxContents is where a POST is split into several okq events. A single larger webhook event is not.
const maxContents = 1 << 20

// usualSize is about what an event of SendGrid's takes.
const usualSize = 500

// A batch is what is kept of one POST.
type batch struct {
	events   []okq.Event
	counts   [len(eventTypes)][results]int
	times    []time.Time // of the accepted events
	statuses []string    // of the account's changes

	otherEnvs []string // of the events that were dropped for it
}

// readBatch filters a POST. It fails for what is not a JSON array of objects. What is kept may be parts of body. digest is
// what was signed of it; nil: nothing was.
func readBatch(body, digest []byte, f filter) (*batch, error) {
	b := &batch{}
	kept := make([][]byte, 0, len(body)/usualSize)
	all := true
	array, err := scan(body, func(el *element) {
		typ, res := f.judge(el)
		b.counts[typ][res]++
		switch res {
		case accepted:
			b.times = append(b.times, job.EventTime(string(el.timestamp)))
			kept = append(kept, el.raw)
			return
		case otherEnv:
			b.otherEnvs = append(b.otherEnvs, cmp.Or(string(el.env), job.DefaultEnv))
		case account:
			b.statuses = append(b.statuses, string(el.status))
		}
		all = false
	})
	switch {
	case err != nil:
		return nil, err
	case len(kept) == 0:
	case all && len(array) <= maxContents:
		b.queue(array, digest)
	default:
		b.split(kept)
	}
	return b, nil
}

// split makes JSON arrays of up to maxContents bytes.
func (b *batch) split(events [][]byte) {
	for len(events) > 0 {
		n, size := 0, 1
		for n < len(events) && (n == 0 || size+len(events[n])+1 <= maxContents) {
			size += len(events[n]) + 1
			n++
		}
		contents := append(make([]byte, 0, size), '[')
		for i, raw := range events[:n] {
			if i > 0 {
				contents = append(contents, ',')
			}
			contents = append(contents, raw...)
		}
		b.queue(append(contents, ']'), nil)
		events = events[n:]
	}
}

// queue adds an event for okq. Its ID is made of the digest that was signed, or else of a hash of the contents: when
// SendGrid sends a POST again because our answer was late or lost, okq has the event already, or gets it again and the
// fold sees nothing new.
func (b *batch) queue(contents, digest []byte) {
	if digest == nil {
		sum := sha256.Sum256(contents)
		digest = sum[:]
	}
	b.events = append(b.events, okq.Event{Queue: job.QueueStats, ID: hex.EncodeToString(digest[:16]), Contents: contents})
}
