package local

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/okqd/journal"
)

// Check reads a directory as Open does, but changes nothing in it. It returns how many events each queue has. An error
// is what Open would say.
func Check(dir string) (events map[string]int, err error) {
	e, err := open(Config{Dir: dir}, zerolog.Nop(), prometheus.NewRegistry(),
		platform{fs: journal.ReadOnly{}, clock: time.Now, machine: time.Now, marginFloor: marginFloor})
	if err != nil {
		return nil, err
	}
	events = make(map[string]int)
	for name, q := range e.queues {
		events[name] = len(q.events)
	}
	return events, e.journal.Close()
}

// Salvage is the events of a directory that can be read, whether it is whole or not.
type Salvage struct {
	Parts []journal.Part

	in       *journal.Inspection
	bySerial map[serial]*salvaged
	byID     map[queueID]*salvaged
}

type queueID struct{ queue, id string }

// salvaged is an event, and where its record is.
type salvaged struct {
	queueID
	stateRecord
	record journal.Position
	size   int
}

// OpenSalvage reads a directory that no okqd has open. It changes nothing in it. The caller must Close what it returns.
func OpenSalvage(dir string) (*Salvage, error) {
	fs := journal.ReadOnly{}
	s := &Salvage{bySerial: make(map[serial]*salvaged), byID: make(map[queueID]*salvaged)}
	var err error
	if s.in, err = journal.Inspect(journal.Options{Dir: dir, FS: fs, Log: zerolog.Nop()}, s.frame); err != nil {
		return nil, err
	}
	s.Parts = s.in.Parts
	return s, nil
}

// Close closes the files.
func (s *Salvage) Close() error { return s.in.Close() }

// frame takes the records of a frame.
func (s *Salvage) frame(at journal.Position, b []byte) error {
	for len(b) > 0 {
		var size int
		switch kind(b[0] & kindMask) {
		case kindEvent:
			rec, n, err := parseEvent(b)
			if err != nil {
				return err
			}
			s.event(rec, at, n)
			size = n
		case kindState:
			m, err := parseState(b)
			if err != nil {
				return err
			}
			if ev := s.bySerial[m.serial]; ev != nil {
				ev.stateRecord = m
			}
			size = stateSize
		case kindGone:
			n, err := parseGone(b)
			if err != nil {
				return err
			}
			s.gone(n)
			size = goneSize
		default:
			return fmt.Errorf("%w (%x)", errRecord, b[0])
		}
		at, b = at+journal.Position(size), b[size:]
	}
	return nil
}

func (s *Salvage) event(rec eventRecord, at journal.Position, size int) {
	ev := s.bySerial[rec.serial]
	if ev == nil {
		ev = &salvaged{queueID: queueID{string(rec.queue), string(rec.id)}, stateRecord: rec.state()}
		if older := s.byID[ev.queueID]; older != nil { // its end was in what cannot be read
			delete(s.bySerial, older.serial)
		}
		s.bySerial[rec.serial], s.byID[ev.queueID] = ev, ev
	}
	ev.record, ev.size = at, size
}

func (s *Salvage) gone(n serial) {
	ev := s.bySerial[n]
	if ev == nil {
		return
	}
	delete(s.bySerial, n)
	delete(s.byID, ev.queueID)
}

// Damaged reports whether some of the directory could not be read.
func (s *Salvage) Damaged() bool {
	return slices.ContainsFunc(s.Parts, func(p journal.Part) bool { return p.Damaged != "" })
}

// Queues are the names of the queues that have events, sorted.
func (s *Salvage) Queues() (names []string) {
	for id := range s.byID {
		names = append(names, id.queue)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Pushed is an event as it is to be pushed again.
type Pushed struct {
	Queue, ID, Contents []byte
	Delay               time.Duration
}

// Events calls push for each event of a queue that can be read, in the order in which they have to be pushed at the back
// of an empty queue: first those that were leased, which come back to the front, then those that were ready, the next to
// pop first, then the delayed ones. It returns how many there were, and how many could not be read.
func (s *Salvage) Events(queue string, now time.Time, push func(Pushed) error) (read, unreadable int, err error) {
	var list []*salvaged
	for id, ev := range s.byID {
		if id.queue == queue {
			list = append(list, ev)
		}
	}
	slices.SortFunc(list, comesBefore)
	var b []byte
	for _, ev := range list {
		b = slices.Grow(b[:0], ev.size)[:ev.size]
		rec, err := eventRecord{}, s.in.ReadAt(b, ev.record)
		if err == nil {
			rec, err = readEvent(b, ev.serial)
		}
		if err != nil {
			unreadable++
			continue
		}
		ev := Pushed{Queue: rec.queue, ID: rec.id, Contents: rec.contents, Delay: ev.left(now)}
		if err := push(ev); err != nil {
			return read, unreadable, err
		}
		read++
	}
	return read, unreadable, nil
}

func comesBefore(a, b *salvaged) int {
	rank := func(ev *salvaged) int { return [...]int{ready: 1, leased: 0, delayed: 2}[ev.state] }
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch a.state {
	case ready:
		return cmp.Compare(a.order, b.order)
	case delayed:
		return cmp.Compare(a.at, b.at)
	}
	return cmp.Compare(a.serial, b.serial)
}

// left is how long an event is still to be delayed.
func (ev *salvaged) left(now time.Time) time.Duration {
	if ev.state != delayed {
		return 0
	}
	return max(0, min(time.UnixMilli(ev.at).Sub(now), ev.span))
}
