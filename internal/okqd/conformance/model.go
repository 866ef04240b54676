package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// model compares the server with a plain model, command by command, restarts included. All its leases and delays
// outlast the test, so that time does not matter.
func model(s *suite) { checkModel(s, true) }

// unorderedModel is the same for a server that may give any ready event, and fewer than asked for.
func unorderedModel(s *suite) { checkModel(s, false) }

func checkModel(s *suite, ordered bool) {
	rapid.Check(s, func(t *rapid.T) {
		c := s.dial()
		for _, queue := range names(c.do("QSTATUS")) {
			c.do("QFLUSH", queue)
		}
		m := modelQueues{}
		queues := rapid.SampledFrom([]string{"p", "q"})
		eventIDs := rapid.StringMatching(`[a-f]`)
		compare := func(t *rapid.T, got, want string, args []string) {
			if got != want {
				t.Fatalf("%v\n got %q\nwant %q\nmodel %v", args, got, want, m)
			}
		}
		check := func(t *rapid.T, want string, args ...string) { compare(t, c.do(args...), want, args) }
		actions := map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				q, id := m.queue(queues.Draw(t, "queue")), eventIDs.Draw(t, "id")
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
				args := []string{"QRPOP", q.name, "COUNT", fmt.Sprint(n), "EX", lease}
				got := c.do(args...)
				if !ordered {
					n = q.bring(ids(got), n)
				}
				compare(t, got, q.pop(n, lease == "0"), args)
				q.learnTokens(t, c)
			},
			"peek": func(t *rapid.T) {
				q := m.queue(queues.Draw(t, "queue"))
				next, newest := q.peek(0), q.peek(len(q.ready)-1)
				if got := c.do("QRPEEK", q.name); ordered || !q.peeked(got) {
					compare(t, got, next, []string{"QRPEEK", q.name})
				}
				if got := c.do("QLPEEK", q.name); ordered || !q.peeked(got) {
					compare(t, got, newest, []string{"QLPEEK", q.name})
				}
			},
			"ack": func(t *rapid.T) {
				q, id := m.queue(queues.Draw(t, "queue")), eventIDs.Draw(t, "id")
				check(t, q.ack(id), "QACK", q.name, id)
			},
			"redo": func(t *rapid.T) {
				q, id := m.queue(queues.Draw(t, "queue")), eventIDs.Draw(t, "id")
				args, delay := []string{"QACK", q.name, id, "REDO"}, rapid.Bool().Draw(t, "delay")
				if delay {
					args = append(args, "DELAY", "3600000")
				}
				released := rapid.Bool().Draw(t, "release")
				if released {
					args = append(args, "RELEASE")
				}
				check(t, q.redo(id, delay, released), args...)
			},
			"flush": func(t *rapid.T) {
				q := m.queue(queues.Draw(t, "queue"))
				*q = modelQueue{name: q.name, tokens: q.tokens}
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
		}
		maps.Copy(actions, moves(m, queues, eventIDs, check))
		maps.Copy(actions, leaseActions(m, queues, eventIDs, check))
		t.Repeat(actions)
	})
}

// modelQueues are queues as simple as can be.
type modelQueues map[string]*modelQueue

type modelQueue struct {
	name            string
	ready           []modelEvent // the next to pop first
	leased, delayed []modelEvent
	tokens          []string // of all leases that there were
}

type modelEvent struct {
	id, contents string
	deliveries   int
	token        string // of its lease
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
	ev := modelEvent{id: id, contents: contents}
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

// bring makes the events that a pop gave the next ones, and returns how many it should have given, at most n.
func (q *modelQueue) bring(ids []string, n int) int {
	if len(ids) == 0 || len(ids) > n {
		return n
	}
	for i, id := range ids {
		at := find(q.ready, id)
		if at < i {
			return n
		}
		ev := q.ready[at]
		q.ready = slices.Insert(slices.Delete(slices.Clone(q.ready), at, at+1), i, ev)
	}
	return len(ids)
}

// peeked tells whether reply shows a ready event, whichever.
func (q *modelQueue) peeked(reply string) bool {
	return slices.ContainsFunc(q.ready, func(ev modelEvent) bool { return event(ev.id, ev.contents) == reply })
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

func (q *modelQueue) redo(id string, delay, released bool) string {
	i := find(q.leased, id)
	if i < 0 {
		return no
	}
	ev := q.leased[i]
	ev.token = ""
	q.leased = slices.Delete(q.leased, i, i+1)
	if released {
		ev.deliveries--
	}
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
