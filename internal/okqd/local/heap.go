package local

// heap orders leased and delayed events by when that ends, the soonest first.
type heap []*event

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

func (h heap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = int32(i), int32(j)
}

func (h heap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].at <= h[i].at {
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
		if right := child + 1; right < len(h) && h[right].at < h[child].at {
			child = right
		}
		if h[i].at <= h[child].at {
			return moved
		}
		h.swap(i, child)
		i, moved = child, true
	}
}
