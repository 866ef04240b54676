package hooks

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strconv"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/levenlabs/postmaster/pkg/okq"
)

// maxContents is where a POST is split into several okq events. A single larger webhook event is not.
const maxContents = 1 << 20

// usualSize is about what an event of SendGrid's takes.
const usualSize = 500

// clockSkew is how far ahead of ours SendGrid's clock may be.
const clockSkew = time.Hour

// A batch is what is kept of one POST.
type batch struct {
	events   []okq.Event
	optOuts  []okq.Event // pushed to the front of the queue, before events
	counts   [len(eventTypes)][results]int
	times    []time.Time // of the accepted events
	statuses []string    // of the account's changes

	otherEnvs []string // of the events that were dropped for it

	signed bool
}

// arrival is what is known of a POST beside its body.
type arrival struct {
	at     time.Time
	digest []byte // what was signed; nil where signatures are not checked
	signed bool   // also of a POST from an archive, whose digest is not kept
}

// readBatch filters a POST. It fails for what is not a JSON array of objects. What is kept may be parts of body.
func readBatch(body []byte, a arrival, f filter) (*batch, error) {
	b := &batch{signed: a.signed}
	kept := make([][]byte, 0, len(body)/usualSize)
	var optOuts [][]byte
	all := true
	array, err := scan(body, func(el *element) {
		typ, res := f.judge(el)
		b.counts[typ][res]++
		switch res {
		case accepted:
			raw, at := el.dated(eventTypes[typ], a.at)
			b.times = append(b.times, at)
			if optsOut(eventTypes[typ]) {
				optOuts, all = append(optOuts, raw), false
				return
			}
			kept, all = append(kept, raw), all && len(raw) == len(el.raw)
			return
		case otherEnv:
			b.otherEnvs = append(b.otherEnvs, cmp.Or(string(el.env), job.DefaultEnv))
		case account:
			b.statuses = append(b.statuses, string(el.status))
		}
		all = false
	})
	if err != nil {
		return nil, err
	}
	b.optOuts = b.split(optOuts)
	switch {
	case len(kept) == 0:
	case all && len(array) <= maxContents:
		b.events = []okq.Event{b.event(array, a.digest)}
	default:
		b.events = b.split(kept)
	}
	return b, nil
}

// optsOut tells the events that go ahead of all others, so that no email is sent meanwhile.
func optsOut(typ string) bool {
	return typ == job.EventUnsubscribe || typ == job.EventGroupUnsubscribe || typ == job.EventOneClick
}

// dated returns the element and its time. A change of preferences that has no time, or one to come, gets that of its
// arrival, as a second "timestamp": the last of two counts. Other events stay as they came.
func (el *element) dated(typ string, arrived time.Time) (raw []byte, at time.Time) {
	at = job.EventTime(string(el.timestamp))
	changes := optsOut(typ) || typ == job.EventGroupResubscribe || typ == job.EventSpamReport
	if !changes || !at.IsZero() && at.Before(arrived.Add(clockSkew)) {
		return el.raw, at
	}
	raw = append(slices.Clone(el.raw[:len(el.raw)-1]), `,"timestamp":`...)
	return append(strconv.AppendInt(raw, arrived.Unix(), 10), '}'), arrived
}

// split makes JSON arrays of up to maxContents bytes.
func (b *batch) split(elements [][]byte) (events []okq.Event) {
	for len(elements) > 0 {
		n, size := 0, 1
		for n < len(elements) && (n == 0 || size+len(elements[n])+1 <= maxContents) {
			size += len(elements[n]) + 1
			n++
		}
		contents := append(make([]byte, 0, size), '[')
		for i, raw := range elements[:n] {
			if i > 0 {
				contents = append(contents, ',')
			}
			contents = append(contents, raw...)
		}
		events = append(events, b.event(append(contents, ']'), nil))
		elements = elements[n:]
	}
	return events
}

// event makes an event for okq. Its ID is made of the digest that was signed, or else of a hash of the contents: when
// SendGrid sends a POST again because our answer was late or lost, okq has the event already, or gets it again and the
// fold sees nothing new.
func (b *batch) event(contents, digest []byte) okq.Event {
	if digest == nil {
		sum := sha256.Sum256(contents)
		digest = sum[:]
	}
	return okq.Event{Queue: job.QueueStats, ID: job.StatsEventID(digest, b.signed), Contents: contents}
}
