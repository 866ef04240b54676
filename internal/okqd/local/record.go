package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// What is in the log. An event is pushed with one record, which has its contents and stays needed until it is gone:
//
//	kind and flags 1, checksum 4, serial 8, pushed 8, [due 8, delay 8,] three lengths, queue, id, contents
//
// Whenever its state changes there is another, of which only the last counts:
//
//	kind and flags 1, serial 8, state 1, deliveries 4, at 8, order or span 8
//
// and when it is gone a last one: kind 1, serial 8. An event whose record is moved to the log's end is written like a push,
// with the same serial, and its state beside it. Records of events that are not known are of events that are gone; the
// segment with the push went first. Serials grow with each push; none is used twice while the log knows it. Times are
// wall clock milliseconds.
type kind byte

const (
	kindEvent kind = 1 + iota
	kindState
	kindGone

	kindMask    = 0x0f
	flagFront   = 0x10
	flagDelayed = 0x20 // of an event: due and delay are there

	leaseShift = 5 // of a state: the bits above are event.leases
	leaseCount = 1 << (8 - leaseShift)
)

const (
	eventHead = 1 + 4 + 8 + 8
	summed    = 1 + 4 // where what the checksum is of goes on, after the first byte
	stateSize = 1 + 8 + 1 + 4 + 8 + 8
	goneSize  = 1 + 8
)

// eventRecord is an event as it was pushed.
type eventRecord struct {
	serial
	front     bool
	pushed    int64
	due       int64         // with delay
	delay     time.Duration // 0: ready at once
	queue, id []byte
	contents  []byte
}

// state is an event's until there is a record of another.
func (r *eventRecord) state() stateRecord {
	m := stateRecord{serial: r.serial, front: r.front, order: int64(r.serial), at: r.pushed}
	if r.front {
		m.order = -m.order
	}
	if r.delay > 0 {
		m.state, m.at, m.span = delayed, r.due, r.delay
	}
	return m
}

// size is how much put needs.
func (r *eventRecord) size() int {
	n := eventHead + len(r.queue) + len(r.id) + len(r.contents)
	if r.delay > 0 {
		n += 16
	}
	return n + uvarintSize(len(r.queue)) + uvarintSize(len(r.id)) + uvarintSize(len(r.contents))
}

func uvarintSize(n int) (size int) {
	for size = 1; n >= 0x80; size++ {
		n >>= 7
	}
	return size
}

// put writes the record, with the only copy that is made of the contents.
func (r *eventRecord) put(b []byte) {
	h := append(b[:0], byte(kindEvent), 0, 0, 0, 0)
	if r.front {
		h[0] |= flagFront
	}
	h = binary.LittleEndian.AppendUint64(h, uint64(r.serial))
	h = binary.LittleEndian.AppendUint64(h, uint64(r.pushed))
	if r.delay > 0 {
		h[0] |= flagDelayed
		h = binary.LittleEndian.AppendUint64(h, uint64(r.due))
		h = binary.LittleEndian.AppendUint64(h, uint64(r.delay.Milliseconds()))
	}
	h = binary.AppendUvarint(h, uint64(len(r.queue)))
	h = binary.AppendUvarint(h, uint64(len(r.id)))
	h = binary.AppendUvarint(h, uint64(len(r.contents)))
	h = append(append(append(h, r.queue...), r.id...), r.contents...)
	binary.LittleEndian.PutUint32(b[1:], checksum(h))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum of an event's record, for reading it alone.
func checksum(record []byte) uint32 {
	return crc32.Update(crc32.Checksum(record[:1], castagnoli), castagnoli, record[summed:])
}

var errRecord = errors.New("not a record")

// parseEvent reads the event record that b begins with; the slices alias b. size is the record's.
func parseEvent(b []byte) (r eventRecord, size int, err error) {
	if len(b) < eventHead || kind(b[0]&kindMask) != kindEvent {
		return r, 0, errRecord
	}
	flags, all := b[0], b
	r.front = flags&flagFront != 0
	r.serial = serial(binary.LittleEndian.Uint64(b[5:]))
	r.pushed = int64(binary.LittleEndian.Uint64(b[13:]))
	b = b[eventHead:]
	if flags&flagDelayed != 0 {
		if len(b) < 16 {
			return r, 0, errRecord
		}
		r.due = int64(binary.LittleEndian.Uint64(b))
		r.delay = millis(binary.LittleEndian.Uint64(b[8:]))
		b = b[16:]
	}
	var lengths [3]uint64
	for i := range lengths {
		n := 0
		if lengths[i], n = binary.Uvarint(b); n <= 0 || lengths[i] > uint64(len(all)) {
			return r, 0, errRecord
		}
		b = b[n:]
	}
	if lengths[0]+lengths[1]+lengths[2] > uint64(len(b)) {
		return r, 0, errRecord
	}
	r.queue, b = b[:lengths[0]:lengths[0]], b[lengths[0]:]
	r.id, b = b[:lengths[1]:lengths[1]], b[lengths[1]:]
	r.contents, b = b[:lengths[2]:lengths[2]], b[lengths[2]:]
	return r, len(all) - len(b), nil
}

// readEvent reads the record that b is, of an event that is known.
func readEvent(b []byte, n serial) (eventRecord, error) {
	r, size, err := parseEvent(b)
	if err == nil && (size != len(b) || r.serial != n || checksum(b) != binary.LittleEndian.Uint32(b[1:])) {
		err = fmt.Errorf("event %d: %w, or damaged", n, errRecord)
	}
	return r, err
}

// stateRecord is an event's state since.
type stateRecord struct {
	serial
	state      state
	front      bool
	leases     uint8
	deliveries uint32
	order      int64         // ready: its place, see Engine.orderLocked
	at         int64         // ready: since when; leased, delayed: until when
	span       time.Duration // leased, delayed: how long that was to be
}

func (m stateRecord) put(b []byte) {
	b[0] = byte(kindState) | m.leases<<leaseShift
	if m.front {
		b[0] |= flagFront
	}
	binary.LittleEndian.PutUint64(b[1:], uint64(m.serial))
	b[9] = byte(m.state)
	binary.LittleEndian.PutUint32(b[10:], m.deliveries)
	binary.LittleEndian.PutUint64(b[14:], uint64(m.at))
	other := uint64(m.order)
	if m.state != ready {
		other = uint64(m.span.Milliseconds())
	}
	binary.LittleEndian.PutUint64(b[22:], other)
}

// parseState reads the state record that b begins with.
func parseState(b []byte) (m stateRecord, err error) {
	if len(b) < stateSize || state(b[9]) > delayed {
		return m, errRecord
	}
	m.front, m.leases = b[0]&flagFront != 0, b[0]>>leaseShift
	m.serial = serial(binary.LittleEndian.Uint64(b[1:]))
	m.state = state(b[9])
	m.deliveries = binary.LittleEndian.Uint32(b[10:])
	m.at = int64(binary.LittleEndian.Uint64(b[14:]))
	other := binary.LittleEndian.Uint64(b[22:])
	if m.state == ready {
		m.order = int64(other)
	} else {
		m.span = millis(other)
	}
	return m, nil
}

func millis(n uint64) time.Duration { return time.Duration(n) * time.Millisecond }

func putGone(b []byte, n serial) {
	b[0] = byte(kindGone)
	binary.LittleEndian.PutUint64(b[1:], uint64(n))
}

func parseGone(b []byte) (serial, error) {
	if len(b) < goneSize {
		return 0, errRecord
	}
	return serial(binary.LittleEndian.Uint64(b[1:])), nil
}
