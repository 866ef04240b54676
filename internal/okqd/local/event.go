package local

import "github.com/levenlabs/postmaster/internal/okqd/journal"

// state is what an event is at the moment; the engine's lock protects it.
type state uint8

const (
	ready   state = iota // in one of its queue's two lists
	leased               // in the heap, due when the lease ends
	delayed              // in the heap, due when the delay ends
	taking               // being popped for good: in no list, until its contents are read
	gone
)

// event is what memory holds of an event: all but its contents. There may be millions, so it is kept small.
type event struct {
	id    string
	queue *queue
	serial
	prev, next *event // in a chain
	at         int64  // ready: since when; leased, delayed: until when. Nanoseconds of the engine's clock
	order      int64  // ready: its place in the queue, see Engine.orderLocked. leased: the commit that has the lease
	record     journal.Position
	recordSize uint32
	size       uint32 // of the contents
	heapIndex  int32
	deliveries uint32
	leases     uint8 // how many it has had, modulo leaseCount; see token
	state      state
	front      bool // which list it is in, or goes to when its lease or delay ends
}

// serial numbers the pushes; records name an event by it.
type serial uint64

// footprint is about how much of the log an event needs: its record, and one of its state.
func (ev *event) footprint() int64 { return int64(ev.recordSize) + stateSize }

// chain is a doubly linked list of events through their own pointers, so that any can be taken out at no cost.
type chain struct{ head, tail *event }

func (l *chain) pushHead(ev *event) {
	ev.prev, ev.next = nil, l.head
	if l.head == nil {
		l.tail = ev
	} else {
		l.head.prev = ev
	}
	l.head = ev
}

func (l *chain) pushTail(ev *event) {
	ev.prev, ev.next = l.tail, nil
	if l.tail == nil {
		l.head = ev
	} else {
		l.tail.next = ev
	}
	l.tail = ev
}

func (l *chain) remove(ev *event) {
	if ev.prev == nil {
		l.head = ev.next
	} else {
		ev.prev.next = ev.next
	}
	if ev.next == nil {
		l.tail = ev.prev
	} else {
		ev.next.prev = ev.prev
	}
	ev.prev, ev.next = nil, nil
}
