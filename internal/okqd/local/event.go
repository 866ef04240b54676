package local

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
	heapIndex  int32
	deliveries uint32
	size       uint32 // of the contents
	state      state
	front      bool // which list it is in, or goes to when its lease or delay ends
	metas      metas
}

// serial numbers the pushes; it is the key of an event's records.
type serial uint64

// metas is how many times an event's meta record was written, as far as it matters: see deleteRecords.
type metas uint8

const (
	noMeta metas = iota
	oneMeta
	manyMetas
)

func (m *metas) wrote() {
	if *m < manyMetas {
		*m++
	}
}

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
