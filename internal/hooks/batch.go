package hooks

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// maxContents is where a POST is split into several okq events. A single larger webhook event is not.
const maxContents = 1 << 20

// A batch is what is kept of one POST.
type batch struct {
	events   []okq.Event
	counts   [len(eventTypes)][results]int
	times    []time.Time // of the accepted events
	statuses []string    // of the account's changes

	contents []byte // of the okq event that is being filled
}

// readBatch filters a POST. It fails for what is not a JSON array of objects.
func readBatch(body []byte, f filter) (*batch, error) {
	b := &batch{}
	err := scan(body, func(el *element) {
		typ, res := f.judge(el)
		b.counts[typ][res]++
		switch res {
		case account:
			b.statuses = append(b.statuses, string(el.status))
		case accepted:
			b.times = append(b.times, job.EventTime(string(el.timestamp)))
			b.add(el.raw, len(body))
		}
	})
	if err != nil {
		return nil, err
	}
	b.close()
	return b, nil
}

// add appends an event to the JSON array. No more than most bytes will follow in all.
func (b *batch) add(raw []byte, most int) {
	if len(b.contents)+1+len(raw)+1 > maxContents {
		b.close()
	}
	if b.contents == nil {
		b.contents = make([]byte, 0, max(min(most, maxContents), len(raw))+2)
		b.contents = append(b.contents, '[')
	} else {
		b.contents = append(b.contents, ',')
	}
	b.contents = append(b.contents, raw...)
}

// close finishes the okq event that is being filled. Its ID is made of its contents: when SendGrid sends a POST again
// because our answer was late or lost, okq has the event already, or gets it again and the fold sees nothing new.
func (b *batch) close() {
	if b.contents == nil {
		return
	}
	b.contents = append(b.contents, ']')
	sum := sha256.Sum256(b.contents)
	b.events = append(b.events, okq.Event{Queue: job.QueueStats, ID: hex.EncodeToString(sum[:16]), Contents: b.contents})
	b.contents = nil
}
