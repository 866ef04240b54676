package okq

import (
	"cmp"
	"slices"
)

// rotation decides in which order queues are popped: a smooth weighted round robin chooses the first.
type rotation struct {
	queues []QueueWeight // the heaviest first
	credit []int
	sum    int
}

func newRotation(queues []QueueWeight) *rotation {
	r := &rotation{queues: slices.Clone(queues), credit: make([]int, len(queues))}
	slices.SortStableFunc(r.queues, func(a, b QueueWeight) int { return cmp.Compare(b.Weight, a.Weight) })
	for _, q := range queues {
		r.sum += q.Weight
	}
	return r
}

// next returns all queues, the one whose turn it is first.
func (r *rotation) next() []string {
	best := 0
	for i, q := range r.queues {
		r.credit[i] += q.Weight
		if r.credit[i] > r.credit[best] {
			best = i
		}
	}
	r.credit[best] -= r.sum
	names := r.names()
	first := names[best]
	copy(names[1:], names[:best])
	names[0] = first
	return names
}

func (r *rotation) heaviest() string { return r.queues[0].Queue }

func (r *rotation) names() []string {
	names := make([]string, len(r.queues))
	for i, q := range r.queues {
		names[i] = q.Queue
	}
	return names
}
