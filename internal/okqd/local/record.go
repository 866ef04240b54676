package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// What is on disk. An event is one record, written once when it is pushed:
//
//	'e' serial -> flags, pushed, [due, delay,] queue, id, contents
//
// and, from its first pop on, a second one that is overwritten whenever its state changes:
//
//	'm' serial -> state, deliveries, two numbers
//
// Both are deleted when the event is gone. Serials grow with each push and are never used for a second event while
// the first has records, hence the event record may be taken away by a SingleDelete. Times are wall clock
// milliseconds. The key 'f' holds the format.
const (
	eventPrefix  = 'e'
	metaPrefix   = 'm'
	formatKey    = "f"
	formatNumber = "okqd local 1"
	keySize      = 9
)

func recordKey(prefix byte, n serial) (key [keySize]byte) {
	key[0] = prefix
	binary.BigEndian.PutUint64(key[1:], uint64(n))
	return key
}

// Flags of an event record.
const (
	flagFront   = 1 << iota
	flagDelayed // due and delay are there
)

// eventRecord is an event as it was pushed.
type eventRecord struct {
	front     bool
	pushed    int64
	due       int64         // with delay
	delay     time.Duration // 0: ready at once
	queue, id []byte
	contents  []byte
}

// put adds the record to the batch, with the only copy that is made of the contents.
func (r *eventRecord) put(b *pebble.Batch, n serial) error {
	var head [1 + 3*8 + 2*binary.MaxVarintLen64]byte
	h := append(head[:0], 0)
	if r.front {
		h[0] |= flagFront
	}
	h = binary.LittleEndian.AppendUint64(h, uint64(r.pushed))
	if r.delay > 0 {
		h[0] |= flagDelayed
		h = binary.LittleEndian.AppendUint64(h, uint64(r.due))
		h = binary.LittleEndian.AppendUint64(h, uint64(r.delay.Milliseconds()))
	}
	h = binary.AppendUvarint(h, uint64(len(r.queue)))
	h = binary.AppendUvarint(h, uint64(len(r.id)))
	op := b.SetDeferred(keySize, len(h)+len(r.queue)+len(r.id)+len(r.contents))
	key := recordKey(eventPrefix, n)
	copy(op.Key, key[:])
	v := op.Value
	v = v[copy(v, h):]
	v = v[copy(v, r.queue):]
	v = v[copy(v, r.id):]
	copy(v, r.contents)
	return op.Finish()
}

var errShortRecord = errors.New("record too short")

// parseEvent is the reverse of put; the slices alias b.
func parseEvent(b []byte) (r eventRecord, err error) {
	if len(b) < 9 {
		return r, errShortRecord
	}
	flags := b[0]
	r.front = flags&flagFront != 0
	r.pushed = int64(binary.LittleEndian.Uint64(b[1:]))
	b = b[9:]
	if flags&flagDelayed != 0 {
		if len(b) < 16 {
			return r, errShortRecord
		}
		r.due = int64(binary.LittleEndian.Uint64(b))
		r.delay = millis(binary.LittleEndian.Uint64(b[8:]))
		b = b[16:]
	}
	queueLen, n := binary.Uvarint(b)
	if n <= 0 {
		return r, errShortRecord
	}
	b = b[n:]
	idLen, n := binary.Uvarint(b)
	if n <= 0 {
		return r, errShortRecord
	}
	b = b[n:]
	if size := uint64(len(b)); queueLen > size || idLen > size-queueLen {
		return r, errShortRecord
	}
	r.queue, b = b[:queueLen], b[queueLen:]
	r.id, r.contents = b[:idLen], b[idLen:]
	return r, nil
}

// metaRecord is an event's state since.
type metaRecord struct {
	state      state
	front      bool
	deliveries uint32
	order      int64         // ready: its place, see Engine.orderLocked
	at         int64         // ready: since when; leased, delayed: until when
	span       time.Duration // leased, delayed: how long that was to be
}

const metaSize = 1 + 1 + 4 + 8 + 8

func (m metaRecord) put(b *pebble.Batch, n serial) error {
	op := b.SetDeferred(keySize, metaSize)
	key := recordKey(metaPrefix, n)
	copy(op.Key, key[:])
	v := op.Value
	v[0], v[1] = byte(m.state), 0
	if m.front {
		v[1] = flagFront
	}
	binary.LittleEndian.PutUint32(v[2:], m.deliveries)
	binary.LittleEndian.PutUint64(v[6:], uint64(m.at))
	other := uint64(m.order)
	if m.state != ready {
		other = uint64(m.span.Milliseconds())
	}
	binary.LittleEndian.PutUint64(v[14:], other)
	return op.Finish()
}

func parseMeta(b []byte) (m metaRecord, err error) {
	if len(b) != metaSize {
		return m, errShortRecord
	}
	m.state, m.front = state(b[0]), b[1]&flagFront != 0
	if m.state > delayed {
		return m, fmt.Errorf("unknown state %d", m.state)
	}
	m.deliveries = binary.LittleEndian.Uint32(b[2:])
	m.at = int64(binary.LittleEndian.Uint64(b[6:]))
	other := binary.LittleEndian.Uint64(b[14:])
	if m.state == ready {
		m.order = int64(other)
	} else {
		m.span = millis(other)
	}
	return m, nil
}

func millis(n uint64) time.Duration { return time.Duration(n) * time.Millisecond }

// deleteRecords takes an event off the disk. A SingleDelete vanishes together with what it deletes at the next flush,
// where a Delete would go down all levels; it is right only for a key that was written once.
func deleteRecords(b *pebble.Batch, ev *event) error {
	key := recordKey(eventPrefix, ev.serial)
	err := b.SingleDelete(key[:], nil)
	key[0] = metaPrefix
	switch ev.metas {
	case oneMeta:
		return errors.Join(err, b.SingleDelete(key[:], nil))
	case manyMetas:
		return errors.Join(err, b.Delete(key[:], nil))
	}
	return err
}
