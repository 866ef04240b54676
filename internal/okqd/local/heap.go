package local

// heap orders leased and delayed events by when that ends, the soonest first.
type heap []*event

// before puts those that end together so that they come back in the order in which they were pushed: each goes before
// the others at the front, or behind them at the back.
func before(a, b *event) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	if a.front != b.front {
		return a.front
	}
	return a.front == (a.serial > b.serial)
}

func (h *heap) push(ev *event) {
	ev.heapIndex = int32(len(*h))
	*h = append(*h, ev)
	h.up(len(*h) - 1)
}

func (h *heap) remove(ev *event) {
	i, last := int(ev.heapIndex), len(*h)-1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	if i < last {
		h.fix(i)
	}
}

// moved restores the order after ev.at changed.
func (h *heap) moved(ev *event) { h.fix(int(ev.heapIndex)) }

func (h *heap) fix(i int) {
	if !h.down(i) {
		h.up(i)
	}
}

// sort restores the order after many have changed.
func (h heap) sort() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h heap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = int32(i), int32(j)
}

func (h heap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !before(h[i], h[parent]) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h heap) down(i int) (moved bool) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return moved
		}
		if right := child + 1; right < len(h) && before(h[right], h[child]) {
			child = right
		}
		if !before(h[child], h[i]) {
			return moved
		}
		h.swap(i, child)
		i, moved = child, true
	}
}
