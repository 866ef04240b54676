package local

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// recovery rebuilds memory from the records. It reads the contents too, so that damage is found at start and not
// when the mail is due.
type recovery struct {
	e       *Engine
	metas   *pebble.Iterator
	nowWall int64
	order   map[*queue][]placed
}

// placed is a ready event and its place.
type placed struct {
	ev    *event
	order int64
	at    int64
}

func (e *Engine) recover() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	begin := e.clock()
	r := &recovery{e: e, nowWall: begin.UnixMilli(), order: make(map[*queue][]placed)}
	n, err := r.scan()
	if err != nil {
		return fmt.Errorf("read the queues: %w", err)
	}
	for q, events := range r.order {
		link(q, events)
	}
	e.log.Info().Int("events", n).Int("queues", len(e.queues)).Dur("took_ms", e.clock().Sub(begin)).Msg("queues read")
	return nil
}

// scan goes through the event records and beside them, both in order of serials, through the meta records.
func (r *recovery) scan() (n int, err error) {
	r.metas, err = r.e.db.NewIter(prefixed(metaPrefix))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.metas.Close()) }()
	events, err := r.e.db.NewIter(prefixed(eventPrefix))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	r.metas.First()
	for events.First(); events.Valid(); events.Next() {
		value, err := events.ValueAndErr()
		if err != nil {
			return n, err
		}
		if err := r.event(events.Key(), value); err != nil {
			return n, err
		}
		n++
	}
	if err := errors.Join(events.Error(), r.metas.Error()); err != nil {
		return n, err
	}
	if r.metas.Valid() {
		return n, fmt.Errorf("a state without an event (%x)", r.metas.Key())
	}
	return n, nil
}

func prefixed(prefix byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}}
}

func (r *recovery) event(key, value []byte) error {
	n, err := parseKey(key)
	if err != nil {
		return err
	}
	rec, err := parseEvent(value)
	if err != nil {
		return fmt.Errorf("event %d: %w", n, err)
	}
	m, metas, err := r.meta(n, rec)
	if err != nil {
		return fmt.Errorf("state of event %d: %w", n, err)
	}
	q := r.e.queueLocked(rec.queue)
	if q.events[string(rec.id)] != nil {
		return fmt.Errorf("event %d: a second event %q in queue %q", n, rec.id, rec.queue)
	}
	ev := &event{
		id: string(rec.id), queue: q, serial: n, metas: metas,
		deliveries: m.deliveries, size: uint32(len(rec.contents)), state: m.state, front: m.front,
	}
	q.events[ev.id] = ev
	r.e.live += int64(ev.size)
	r.place(ev, m)
	return nil
}

// meta returns the event's state: the record of it, or what the push said.
func (r *recovery) meta(n serial, rec eventRecord) (metaRecord, metas, error) {
	if r.metas.Valid() {
		key, err := parseKey(r.metas.Key())
		if err != nil || key < n {
			return metaRecord{}, noMeta, cmp.Or(err, fmt.Errorf("%d has no event", key))
		}
		if key == n {
			value, err := r.metas.ValueAndErr()
			if err != nil {
				return metaRecord{}, noMeta, err
			}
			m, err := parseMeta(value)
			r.metas.Next()
			return m, manyMetas, err
		}
	}
	m := metaRecord{front: rec.front, order: int64(n), at: rec.pushed}
	if rec.front {
		m.order = -m.order
	}
	if rec.delay > 0 {
		m.state, m.at, m.span = delayed, rec.due, rec.delay
	}
	return m, noMeta, nil
}

// place puts the event where its state says, for ready ones once all are known. A clock that was set back while we
// were away makes no lease or delay longer than it was to be.
func (r *recovery) place(ev *event, m metaRecord) {
	now := r.e.now()
	since := now + int64(time.Duration(m.at-r.nowWall)*time.Millisecond)
	r.e.counter = max(r.e.counter, int64(ev.serial), m.order, -m.order)
	if ev.state == ready {
		r.order[ev.queue] = append(r.order[ev.queue], placed{ev, m.order, min(since, now)})
		return
	}
	ev.at = min(since, now+int64(m.span+leaseSlack))
	r.e.due.push(ev)
	if ev.state == delayed {
		ev.queue.delayed++
	}
}

// link puts a queue's ready events into its lists.
func link(q *queue, events []placed) {
	slices.SortFunc(events, func(a, b placed) int { return cmp.Compare(a.order, b.order) })
	firstBack, _ := slices.BinarySearchFunc(events, 0, func(p placed, _ int) int { return cmp.Compare(p.order, 0) })
	for _, p := range slices.Backward(events[:firstBack]) {
		p.ev.front = true
		q.link(p.ev, p.at)
	}
	for _, p := range events[firstBack:] {
		p.ev.front = false
		q.link(p.ev, p.at)
	}
}

func parseKey(key []byte) (serial, error) {
	if len(key) != keySize {
		return 0, fmt.Errorf("odd key %x", key)
	}
	return serial(binary.BigEndian.Uint64(key[1:])), nil
}
