package conformance

import (
	"slices"

	"pgregory.net/rapid"
)

// checkFunc sends a command and compares its reply.
type checkFunc func(t *rapid.T, want string, args ...string)

// learnTokens reads the tokens of the leases that the last pop gave. No token is given twice.
func (q *modelQueue) learnTokens(t *rapid.T, c *client) {
	for i := range q.leased {
		ev := &q.leased[i]
		if ev.token != "" {
			continue
		}
		ev.token = c.tokens[ev.id]
		if ev.token == "" || slices.Contains(q.tokens, ev.id+" "+ev.token) {
			t.Fatalf("event %s of queue %s has the lease %q, as one before: %v", ev.id, q.name, ev.token, q.tokens)
		}
		q.tokens = append(q.tokens, ev.id+" "+ev.token)
	}
}

// anyToken is a lease's that is or was, of any event, or one that never was.
func (q *modelQueue) anyToken(t *rapid.T) string {
	tokens := []string{"none"}
	for _, ev := range q.leased {
		tokens = append(tokens, ev.token)
	}
	for _, known := range q.tokens {
		tokens = append(tokens, known[2:]) // ids have one letter
	}
	return rapid.SampledFrom(tokens).Draw(t, "token")
}

func (q *modelQueue) holds(id, token string) bool {
	i := find(q.leased, id)
	return i >= 0 && q.leased[i].token == token
}

// leaseActions name leases, most of them of the past.
func leaseActions(m modelQueues, queues, eventIDs *rapid.Generator[string], check checkFunc) map[string]func(*rapid.T) {
	draw := func(t *rapid.T) (q *modelQueue, id, token string, held bool) {
		q, id = m.queue(queues.Draw(t, "queue")), eventIDs.Draw(t, "id")
		token = q.anyToken(t)
		return q, id, token, q.holds(id, token)
	}
	return map[string]func(*rapid.T){
		"ack a lease": func(t *rapid.T) {
			q, id, token, held := draw(t)
			want := no
			if held {
				want = q.ack(id)
			}
			check(t, want, "QACK", q.name, id, "LEASE", token)
		},
		"redo a lease": func(t *rapid.T) {
			q, id, token, held := draw(t)
			want := no
			if held {
				want = q.redo(id, true, false)
			}
			check(t, want, "QACK", q.name, id, "REDO", "LEASE", token, "DELAY", "3600000")
		},
		"touch a lease": func(t *rapid.T) {
			q, id, token, held := draw(t)
			want := no
			if held {
				want = yes
			}
			check(t, want, "QTOUCH", q.name, id, "EX", "7200", "LEASE", token)
		},
	}
}

// moves are what operators and workers do to one event that they know.
func moves(m modelQueues, queues, eventIDs *rapid.Generator[string], check checkFunc) map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"move": func(t *rapid.T) {
			from, to := m.queue(queues.Draw(t, "from")), m.queue(queues.Draw(t, "to"))
			id, newID := eventIDs.Draw(t, "id"), eventIDs.Draw(t, "new id")
			args := []string{"QMOVE", from.name, id, to.name, newID}
			contents, delay, token := (*string)(nil), rapid.Bool().Draw(t, "delay"), ""
			if rapid.Bool().Draw(t, "other contents") {
				s := rapid.StringN(0, 20, -1).Draw(t, "contents")
				contents, args = &s, append(args, "CONTENTS", s)
			}
			if delay {
				args = append(args, "DELAY", "3600000")
			}
			if rapid.Bool().Draw(t, "leased") {
				token = from.anyToken(t)
				args = append(args, "LEASE", token)
			}
			check(t, from.move(id, to, newID, contents, delay, token), args...)
		},
		"remove": func(t *rapid.T) {
			q, id := m.queue(queues.Draw(t, "queue")), eventIDs.Draw(t, "id")
			want := no
			if find(q.leased, id) < 0 {
				want = q.ack(id)
			}
			check(t, want, "QREMOVE", q.name, id)
		},
		"replace": func(t *rapid.T) {
			q, id := m.queue(queues.Draw(t, "queue")), eventIDs.Draw(t, "id")
			contents, delay := rapid.StringN(0, 20, -1).Draw(t, "contents"), rapid.Bool().Draw(t, "delay")
			args := []string{"QREPLACE", q.name, id, contents}
			if delay {
				args = append(args, "DELAY", "3600000")
			}
			check(t, q.replace(id, contents, delay), args...)
		},
	}
}

func (q *modelQueue) event(id string) (modelEvent, bool) {
	for _, list := range [][]modelEvent{q.ready, q.leased, q.delayed} {
		if i := find(list, id); i >= 0 {
			return list[i], true
		}
	}
	return modelEvent{}, false
}

func (q *modelQueue) move(id string, to *modelQueue, newID string, contents *string, delay bool, token string) string {
	ev, there := q.event(id)
	if !there || token != "" && !q.holds(id, token) {
		return no
	}
	if contents == nil {
		contents = &ev.contents
	}
	if reply := to.push(newID, *contents, false, delay); reply != ok {
		return reply
	}
	return q.ack(id)
}

func (q *modelQueue) replace(id, contents string, delay bool) string {
	ev, there := q.event(id)
	if !there || find(q.leased, id) >= 0 {
		return no
	}
	q.ack(id)
	ev.contents = contents
	switch {
	case delay:
		q.delayed = append(q.delayed, ev)
	case ev.deliveries > 0:
		q.ready = slices.Insert(slices.Clone(q.ready), 0, ev)
	default:
		q.ready = append(q.ready, ev)
	}
	return yes
}
