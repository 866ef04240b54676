package local

import (
	"cmp"
	"slices"
	"strconv"
)

// chunkSize is how many events a chunk has at most. Small enough to be moved in no time, large enough for few chunks.
const chunkSize = 256

// pushOrder is a queue's events in the order in which they were pushed, in chunks, so that a page can begin anywhere and
// an event can go from anywhere at little cost: it takes 8 bytes an event and two binary searches.
type pushOrder struct{ chunks [][]*event }

func bySerial(ev *event, n serial) int { return cmp.Compare(ev.serial, n) }

// find returns the chunk that a serial belongs to, and where it is in there or would be.
func (o *pushOrder) find(n serial) (chunk, at int, found bool) {
	chunk, found = slices.BinarySearchFunc(o.chunks, n, func(c []*event, n serial) int { return bySerial(c[0], n) })
	if found {
		return chunk, 0, true
	}
	chunk = max(0, chunk-1)
	if len(o.chunks) == 0 {
		return 0, 0, false
	}
	at, found = slices.BinarySearchFunc(o.chunks[chunk], n, bySerial)
	return chunk, at, found
}

// add is almost always at the end. Only while a log is read an older event may come later, because its record was moved.
func (o *pushOrder) add(ev *event) {
	last := len(o.chunks) - 1
	if last < 0 || len(o.chunks[last]) == chunkSize && bySerial(o.chunks[last][chunkSize-1], ev.serial) < 0 {
		room := chunkSize
		if last < 0 {
			room = 8 // most queues are short
		}
		o.chunks = append(o.chunks, append(make([]*event, 0, room), ev))
		return
	}
	i, at, _ := o.find(ev.serial)
	if len(o.chunks[i]) == chunkSize {
		const half = chunkSize / 2
		o.chunks = slices.Insert(o.chunks, i+1, slices.Clone(o.chunks[i][half:]))
		clear(o.chunks[i][half:])
		o.chunks[i] = o.chunks[i][:half]
		i, at, _ = o.find(ev.serial)
	}
	o.chunks[i] = slices.Insert(o.chunks[i], at, ev)
}

func (o *pushOrder) remove(ev *event) {
	i, at, found := o.find(ev.serial)
	if !found {
		return
	}
	c := o.chunks[i]
	if at == 0 { // the oldest, as is usual
		c[0] = nil
		c = c[1:]
	} else {
		c = slices.Delete(c, at, at+1)
	}
	o.chunks[i] = c
	switch {
	case len(c) == 0:
		o.chunks = slices.Delete(o.chunks, i, i+1)
	case i+1 < len(o.chunks) && len(c)+len(o.chunks[i+1]) <= chunkSize/4: // so that what few events are left take few chunks
		o.chunks[i] = append(c, o.chunks[i+1]...)
		o.chunks = slices.Delete(o.chunks, i+1, i+2)
	}
}

// page returns the ids of count events behind a serial, and the cursor to go on with, "" at the end.
func (o *pushOrder) page(after serial, count int) (ids [][]byte, next string) {
	i, at, found := o.find(after)
	if found {
		at++
	}
	for ; i < len(o.chunks); i, at = i+1, 0 {
		for _, ev := range o.chunks[i][at:] {
			if ev.state == taking {
				continue
			}
			ids = append(ids, []byte(ev.id))
			if len(ids) == count {
				return ids, strconv.FormatUint(uint64(ev.serial), 10)
			}
		}
	}
	return ids, ""
}
