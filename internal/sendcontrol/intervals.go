package sendcontrol

import "time"

// Intervals are times in which something was stopped. The zero value has none.
type Intervals struct {
	list  []interval
	began time.Time // of the one that has not ended; zero if there is none
}

type interval struct{ from, to time.Time }

// maxIntervals bounds the list. Beyond it the oldest two become one: the time between them then counts as stopped too,
// which makes emails go on for longer, never for less.
const maxIntervals = 1000

// Begin begins an interval, unless one has begun already.
func (i *Intervals) Begin(now time.Time) {
	if i.began.IsZero() {
		i.began = now
	}
}

// End ends it, if one has begun.
func (i *Intervals) End(now time.Time) {
	if !i.began.IsZero() {
		i.Add(i.began, now)
		i.began = time.Time{}
	}
}

// Add adds an interval that begins no earlier than the one before.
func (i *Intervals) Add(from, to time.Time) {
	if n := len(i.list); n > 0 && !from.After(i.list[n-1].to) {
		if to.After(i.list[n-1].to) {
			i.list[n-1].to = to
		}
		return
	}
	i.list = append(i.list, interval{from, to})
	if len(i.list) > maxIntervals {
		i.list[1].from = i.list[0].from
		i.list = append(i.list[:0], i.list[1:]...)
	}
}

// Within returns how much of the time from..to is in intervals.
func (i *Intervals) Within(from, to time.Time) (sum time.Duration) {
	all := i.list
	if !i.began.IsZero() {
		all = append(all[:len(all):len(all)], interval{i.began, to})
	}
	for _, one := range all {
		if a, b := latest(one.from, from), earliest(one.to, to); b.After(a) {
			sum += b.Sub(a)
		}
	}
	return sum
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
