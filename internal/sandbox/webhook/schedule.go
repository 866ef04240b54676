package webhook

import (
	"container/heap"
	"time"
)

// Event is something that will be posted. Its methods are called one after
// the other, never at once.
type Event interface {
	// Render makes the JSON object, once, when the event is due.
	Render(now time.Time) []byte
	// Answered reports each POST that carried the event: the status, or 0
	// and why there was none.
	Answered(status int, err error)
}

// item is an event that waits for its time, or a refused batch that waits for
// its next try.
type item struct {
	due   time.Time
	seq   uint64 // keeps events of one instant in the order they were scheduled
	event *pending
	batch *batch
}

// pending is one event, shared by its copies.
type pending struct {
	event Event
	json  []byte // rendered by the first copy that is due
}

// batch is the body of one POST. Its bytes and signature stay the same for
// every try.
type batch struct {
	body      []byte
	timestamp string
	signature string
	events    []*pending
	born      time.Time
	tries     int
}

type schedule []item

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	if s[i].due.Equal(s[j].due) {
		return s[i].seq < s[j].seq
	}
	return s[i].due.Before(s[j].due)
}
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)   { *s = append(*s, x.(item)) }
func (s *schedule) Pop() any {
	old := *s
	last := len(old) - 1
	it := old[last]
	old[last] = item{}
	*s = old[:last]
	return it
}

func (s *schedule) add(it item) { heap.Push(s, it) }
func (s *schedule) next() item  { return heap.Pop(s).(item) }
