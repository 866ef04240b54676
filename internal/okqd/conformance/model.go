package conformance

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// model compares the server with a plain model, command by command, restarts included. All its leases and delays
// outlast the test, so that time does not matter.
func model(s *suite) {
	rapid.Check(s, func(t *rapid.T) {
		c := s.dial()
		for _, queue := range names(c.do("QSTATUS")) {
			c.do("QFLUSH", queue)
		}
		m := modelQueues{}
		queues := rapid.SampledFrom([]string{"p", "q"})
		ids := rapid.StringMatching(`[a-f]`)
		check := func(t *rapid.T, want string, args ...string) {
			if got := c.do(args...); got != want {
				t.Fatalf("%v\n got %q\nwant %q\nmodel %v", args, got, want, m)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				q, id := m.queue(queues.Draw(t, "queue")), ids.Draw(t, "id")
				args := []string{"QLPUSH", q.name, id, rapid.StringN(0, 20, -1).Draw(t, "contents")}
				front, delay := rapid.Bool().Draw(t, "front"), rapid.IntRange(0, 4).Draw(t, "delay") == 0
				if front {
					args[0] = "QRPUSH"
				}
				if delay {
					args = append(args, "DELAY", "3600000")
				}
				check(t, q.push(id, args[3], front, delay), args...)
			},
			"pop": func(t *rapid.T) {
				q, n := m.queue(queues.Draw(t, "queue")), rapid.IntRange(1, 3).Draw(t, "count")
				lease := rapid.SampledFrom([]string{"0", "3600"}).Draw(t, "lease")
				check(t, q.pop(n, lease == "0"), "QRPOP", q.name, "COUNT", fmt.Sprint(n), "EX", lease)
			},
			"peek": func(t *rapid.T) {
				q := m.queue(queues.Draw(t, "queue"))
				check(t, q.peek(0), "QRPEEK", q.name)
				check(t, q.peek(len(q.ready)-1), "QLPEEK", q.name)
			},
			"ack": func(t *rapid.T) {
				q, id := m.queue(queues.Draw(t, "queue")), ids.Draw(t, "id")
				check(t, q.ack(id), "QACK", q.name, id)
			},
			"redo": func(t *rapid.T) {
				q, id := m.queue(queues.Draw(t, "queue")), ids.Draw(t, "id")
				args, delay := []string{"QACK", q.name, id, "REDO"}, rapid.Bool().Draw(t, "delay")
				if delay {
					args = append(args, "DELAY", "3600000")
				}
				check(t, q.redo(id, delay), args...)
			},
			"flush": func(t *rapid.T) {
				q := m.queue(queues.Draw(t, "queue"))
				*q = modelQueue{name: q.name}
				check(t, ok, "QFLUSH", q.name)
			},
			"restart": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
					s.target.Restart()
					c = s.dial()
				}
			},
			"": func(t *rapid.T) {
				for _, q := range m {
					if st := c.status(q.name); st.total != len(q.ready)+len(q.leased)+len(q.delayed) ||
						st.processing != len(q.leased) || st.delayed != len(q.delayed) {
						t.Fatalf("queue %s: %+v, model %v", q.name, st, q)
					}
					q.checkLooks(t, c)
				}
			},
		})
	})
}

// modelQueues are queues as simple as can be.
type modelQueues map[string]*modelQueue

type modelQueue struct {
	name            string
	ready           []modelEvent // the next to pop first
	leased, delayed []modelEvent
}

type modelEvent struct {
	id, contents string
	deliveries   int
}

func (m modelQueues) queue(name string) *modelQueue {
	if m[name] == nil {
		m[name] = &modelQueue{name: name}
	}
	return m[name]
}

func (q *modelQueue) push(id, contents string, front, delay bool) string {
	for _, list := range [][]modelEvent{q.ready, q.leased, q.delayed} {
		if find(list, id) >= 0 {
			return "-ERR duplicate event " + id + "\r\n"
		}
	}
	ev := modelEvent{id, contents, 0}
	switch {
	case delay:
		q.delayed = append(q.delayed, ev)
	case front:
		q.ready = slices.Insert(q.ready, 0, ev)
	default:
		q.ready = append(q.ready, ev)
	}
	return ok
}

func (q *modelQueue) pop(n int, forGood bool) string {
	n = min(n, len(q.ready))
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", n)
	for _, ev := range q.ready[:n] {
		ev.deliveries++
		b.WriteString(delivered(ev.id, ev.contents, ev.deliveries))
		if !forGood {
			q.leased = append(q.leased, ev)
		}
	}
	q.ready = q.ready[n:]
	return b.String()
}

func (q *modelQueue) peek(i int) string {
	if len(q.ready) == 0 {
		return null
	}
	return event(q.ready[i].id, q.ready[i].contents)
}

func (q *modelQueue) ack(id string) string {
	for _, list := range []*[]modelEvent{&q.ready, &q.leased, &q.delayed} {
		if i := find(*list, id); i >= 0 {
			*list = slices.Delete(slices.Clone(*list), i, i+1)
			return yes
		}
	}
	return no
}

func (q *modelQueue) redo(id string, delay bool) string {
	i := find(q.leased, id)
	if i < 0 {
		return no
	}
	ev := q.leased[i]
	q.leased = slices.Delete(q.leased, i, i+1)
	if delay {
		q.delayed = append(q.delayed, ev)
	} else {
		q.ready = slices.Insert(slices.Clone(q.ready), 0, ev)
	}
	return yes
}

func find(events []modelEvent, id string) int {
	return slices.IndexFunc(events, func(ev modelEvent) bool { return ev.id == id })
}
