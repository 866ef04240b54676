package sandbox

import (
	"slices"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/internal/sandbox/mailsend"
)

// inbox keeps the newest mails: at most keep of them, and at most keepBytes
// of bodies and events. The older ones leave.
type inbox struct {
	keep      int
	keepBytes int64

	mu    sync.Mutex // protects the fields below
	byID  map[string]*kept
	order []*kept // oldest first
	bytes int64
}

type kept struct {
	mail   Mail // Events stays nil: see events
	events []*Event
	bytes  int64
}

// overhead is about what a kept mail costs beside its body.
const overhead = 1 << 10

func newInbox(keep int, keepBytes int64) *inbox {
	return &inbox{keep: keep, keepBytes: keepBytes, byID: make(map[string]*kept)}
}

func (b *inbox) add(id string, at time.Time, envelope *mailsend.Mail, body []byte) {
	k := &kept{mail: Mail{ID: id, AcceptedAt: at, Envelope: envelope, Body: body}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.byID[id] = k
	b.order = append(b.order, k)
	b.growLocked(k, overhead+int64(len(body)))
}

// growLocked may let mails leave, k too if it alone is too large.
func (b *inbox) growLocked(k *kept, bytes int64) {
	k.bytes += bytes
	b.bytes += bytes
	for len(b.order) > 0 && (len(b.order) > b.keep || b.bytes > b.keepBytes) {
		oldest := b.order[0]
		b.order[0] = nil // the array behind the slice lives on
		b.order = b.order[1:]
		b.bytes -= oldest.bytes
		delete(b.byID, oldest.mail.ID)
	}
}

// addEvent notes e on its mail; nil when that has left.
func (b *inbox) addEvent(id string, e Event) *Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.byID[id]
	if k == nil {
		return nil
	}
	k.events = append(k.events, &e)
	b.growLocked(k, int64(len(e.JSON))+overhead/4)
	return &e
}

func (b *inbox) answered(e *Event, status int, err error) {
	if e == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e.Posts++
	e.Status, e.Error = status, ""
	if err != nil {
		e.Error = err.Error()
	}
	e.Answered = e.Answered || status >= 200 && status < 300
}

func (k *kept) snapshotLocked() Mail {
	m := k.mail
	m.Events = make([]Event, len(k.events))
	for i, e := range k.events {
		m.Events[i] = *e
	}
	return m
}

// find answers the newest first, and how many are kept in all.
func (b *inbox) find(f Filter) (found []Mail, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range slices.Backward(b.order) {
		if f.Limit > 0 && len(found) == f.Limit {
			break
		}
		if f.match(&k.mail) {
			found = append(found, k.snapshotLocked())
		}
	}
	return found, len(b.order)
}

func (b *inbox) get(id string) (Mail, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.byID[id]
	if k == nil {
		return Mail{}, false
	}
	return k.snapshotLocked(), true
}

func (b *inbox) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.byID, b.order, b.bytes = make(map[string]*kept), nil, 0
}
