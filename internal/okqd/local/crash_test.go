package local

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// traffic is contents of which four fill a segment of the test's file system.
var traffic = bytes.Repeat([]byte("postmaster"), 6<<10)

// The engine is compared with a plain model, op by op, while time passes and the power is cut again and again: what
// was acknowledged is there, in its order, with its leases, delays and counts, and nothing else is.
func TestPowerCutsTakeNothingBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := newBox(t)
		defer func() { b.stop() }()
		m := &model{now: b.clock}
		queues, ids := rapid.SampledFrom([]string{"p", "q"}), rapid.StringMatching(`[a-h]`)
		spans := rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, time.Hour})
		do := func(t *rapid.T, op engine.Op) {
			want := m.exec(op)
			got := describe(b.exec(op))
			if got != want {
				t.Fatalf("%s\n got %s\nwant %s", opText(op), got, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				op := engine.Op{Kind: engine.Push, Queue: []byte(queues.Draw(t, "queue")), ID: []byte(ids.Draw(t, "id"))}
				op.Contents = []byte(rapid.StringN(0, 30, -1).Draw(t, "contents"))
				op.Front = rapid.Bool().Draw(t, "front")
				if rapid.IntRange(0, 3).Draw(t, "delayed") == 0 {
					op.Delay = spans.Draw(t, "delay")
				}
				do(t, op)
			},
			"pop": func(t *rapid.T) {
				op := engine.Op{Kind: engine.Pop, Queue: []byte(queues.Draw(t, "queue")), Count: rapid.IntRange(0, 3).Draw(t, "count")}
				if rapid.IntRange(0, 4).Draw(t, "for good") > 0 {
					op.Lease = spans.Draw(t, "lease")
				}
				do(t, op)
			},
			"ack": func(t *rapid.T) {
				op := engine.Op{Kind: engine.Ack, Queue: []byte(queues.Draw(t, "queue")), ID: []byte(ids.Draw(t, "id"))}
				if op.Redo = rapid.Bool().Draw(t, "redo"); op.Redo {
					op.Release = rapid.Bool().Draw(t, "release")
					if rapid.Bool().Draw(t, "delayed") {
						op.Delay = spans.Draw(t, "delay")
					}
				}
				do(t, op)
			},
			"touch": func(t *rapid.T) {
				do(t, engine.Op{
					Kind: engine.Touch, Queue: []byte(queues.Draw(t, "queue")), ID: []byte(ids.Draw(t, "id")),
					Lease: spans.Draw(t, "lease"),
				})
			},
			"move": func(t *rapid.T) {
				op := engine.Op{
					Kind: engine.Move, Queue: []byte(queues.Draw(t, "from")), ID: []byte(ids.Draw(t, "id")),
					To: []byte(queues.Draw(t, "to")), NewID: []byte(ids.Draw(t, "new id")), Keep: rapid.Bool().Draw(t, "keep"),
				}
				if !op.Keep {
					op.Contents = []byte(rapid.StringN(0, 30, -1).Draw(t, "contents"))
				}
				if rapid.Bool().Draw(t, "delayed") {
					op.Delay = spans.Draw(t, "delay")
				}
				do(t, op)
			},
			"replace": func(t *rapid.T) {
				op := engine.Op{Kind: engine.Replace, Queue: []byte(queues.Draw(t, "queue")), ID: []byte(ids.Draw(t, "id"))}
				if rapid.Bool().Draw(t, "remove") {
					op.Kind = engine.Remove
				} else {
					op.Contents = []byte(rapid.StringN(0, 30, -1).Draw(t, "contents"))
					if rapid.Bool().Draw(t, "delayed") {
						op.Delay = spans.Draw(t, "delay")
					}
				}
				do(t, op)
			},
			"flush": func(t *rapid.T) {
				if rapid.IntRange(0, 5).Draw(t, "flush") == 0 {
					do(t, engine.Op{Kind: engine.Flush, Queue: []byte(queues.Draw(t, "queue"))})
				}
			},
			"time": func(t *rapid.T) {
				b.pass(rapid.SampledFrom([]time.Duration{time.Second, 3 * time.Second, 6 * time.Second}).Draw(t, "pass"))
			},
			"traffic": func(t *rapid.T) { // has the log go on, and what stays be moved along
				for range rapid.IntRange(1, 12).Draw(t, "events") {
					do(t, engine.Op{Kind: engine.Push, Queue: []byte("traffic"), ID: []byte("x"), Contents: traffic})
					do(t, engine.Op{Kind: engine.Ack, Queue: []byte("traffic"), ID: []byte("x")})
				}
			},
			"crash": func(t *rapid.T) {
				rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
				if err := b.crash(rng); err != nil {
					t.Fatalf("start after the crash: %v", err)
				}
			},
			"": func(t *rapid.T) {
				do(t, engine.Op{Kind: engine.Peek, Queue: []byte("p"), Front: true})
				do(t, engine.Op{Kind: engine.Peek, Queue: []byte("q")})
				do(t, engine.Op{Kind: engine.Status, Queues: [][]byte{[]byte("p"), []byte("q")}})
			},
		})
	})
}

// model is the engine, as simple as can be: a list of events in the order in which pops would take them.
type model struct {
	now    func() time.Time
	events []modelEvent
	pushes int
}

type modelEvent struct {
	queue, id, contents string
	state               state
	until               time.Time
	deliveries          int
	front               bool
	serial              int
}

// advance does what is due, the soonest first.
func (m *model) advance() {
	for {
		due := -1
		for i, ev := range m.events {
			if ev.state != ready && !ev.until.After(m.now()) && (due < 0 || ev.before(m.events[due])) {
				due = i
			}
		}
		if due < 0 {
			return
		}
		m.toReady(due, m.events[due])
	}
}

// before: what ends together comes back in the order in which it was pushed.
func (ev modelEvent) before(other modelEvent) bool {
	if d := ev.until.Compare(other.until); d != 0 {
		return d < 0
	}
	if ev.front && other.front {
		return ev.serial > other.serial
	}
	return ev.front || !other.front && ev.serial < other.serial
}

func (m *model) toReady(i int, ev modelEvent) {
	m.events = slices.Delete(m.events, i, i+1)
	ev.state = ready
	if ev.front {
		m.events = slices.Insert(m.events, 0, ev)
	} else {
		m.events = append(m.events, ev)
	}
}

func (m *model) find(op engine.Op) int {
	return slices.IndexFunc(m.events, func(ev modelEvent) bool {
		return ev.queue == string(op.Queue) && ev.id == string(op.ID)
	})
}

// exec does what the engine should do, and describes the result as describe does.
func (m *model) exec(op engine.Op) string {
	m.advance()
	i := m.find(op)
	switch op.Kind {
	case engine.Push:
		if i >= 0 {
			return engine.ErrDuplicate.Error()
		}
		m.add(modelEvent{queue: string(op.Queue), id: string(op.ID), contents: string(op.Contents), front: op.Front}, op.Delay)
		return ""
	case engine.Pop:
		return m.pop(op)
	case engine.Peek:
		events := slices.Clone(m.events)
		if !op.Front {
			slices.Reverse(events)
		}
		for _, ev := range events {
			if ev.queue == string(op.Queue) && ev.state == ready {
				return ev.id + "=" + ev.contents
			}
		}
		return ""
	case engine.Ack, engine.Touch:
		return fmt.Sprint(i >= 0 && m.change(i, op))
	case engine.Move, engine.Remove, engine.Replace:
		return m.supersede(i, op)
	case engine.Flush:
		m.events = slices.DeleteFunc(m.events, func(ev modelEvent) bool { return ev.queue == string(op.Queue) })
		return ""
	default:
		return m.status(op)
	}
}

func (m *model) add(ev modelEvent, delay time.Duration) {
	m.pushes++
	ev.serial = m.pushes
	m.events = append(m.events, ev)
	if delay == 0 {
		m.toReady(len(m.events)-1, ev)
	} else {
		m.hide(len(m.events)-1, delayed, delay)
	}
}

// supersede is what a move, a removal and a replacement have in common: an event goes, and another may come.
func (m *model) supersede(i int, op engine.Op) string {
	if i < 0 || op.Kind != engine.Move && m.events[i].state == leased {
		return "false"
	}
	ev := m.events[i]
	next := modelEvent{queue: string(op.To), id: string(op.NewID), contents: string(op.Contents)}
	if op.Keep {
		next.contents = ev.contents
	}
	if op.Kind == engine.Replace {
		next.queue, next.id, next.deliveries, next.front = ev.queue, ev.id, ev.deliveries, ev.deliveries > 0
	} else if m.find(engine.Op{Queue: op.To, ID: op.NewID}) >= 0 {
		return "false " + engine.ErrDuplicate.Error()
	}
	m.events = slices.Delete(m.events, i, i+1)
	if op.Kind != engine.Remove {
		m.add(next, op.Delay)
	}
	return "true"
}

// hide leases or delays an event.
func (m *model) hide(i int, state state, span time.Duration) {
	m.events[i].state, m.events[i].until = state, m.now().Add(span)
	if state == leased {
		m.events[i].front = true
		m.events[i].until = m.events[i].until.Add(leaseSlack)
	}
}

func (m *model) pop(op engine.Op) string {
	var popped []string
	for i := 0; i < len(m.events) && len(popped) < max(op.Count, 1); i++ {
		ev := &m.events[i]
		if ev.queue != string(op.Queue) || ev.state != ready {
			continue
		}
		ev.deliveries++
		popped = append(popped, fmt.Sprintf("%s=%s#%d", ev.id, ev.contents, ev.deliveries))
		if op.Lease > 0 {
			m.hide(i, leased, op.Lease)
		} else {
			m.events = slices.Delete(m.events, i, i+1)
			i--
		}
	}
	return strings.Join(popped, " ")
}

func (m *model) change(i int, op engine.Op) bool {
	ev := m.events[i]
	switch {
	case op.Kind == engine.Ack && !op.Redo:
		m.events = slices.Delete(m.events, i, i+1)
	case ev.state != leased:
		return false
	case op.Kind == engine.Touch:
		m.hide(i, leased, op.Lease)
	default:
		m.redo(i, ev, op)
	}
	return true
}

func (m *model) redo(i int, ev modelEvent, op engine.Op) {
	if op.Release {
		ev.deliveries--
	}
	m.events[i] = ev
	if op.Delay > 0 {
		m.hide(i, delayed, op.Delay)
	} else {
		m.toReady(i, ev)
	}
}

func (m *model) status(op engine.Op) string {
	var rows []string
	for _, name := range op.Queues {
		var count [3]int
		for _, ev := range m.events {
			if ev.queue == string(name) {
				count[ev.state]++
			}
		}
		rows = append(rows, fmt.Sprint(string(name), count))
	}
	return strings.Join(rows, " ")
}

// describe is an op's outcome as text.
func describe(op engine.Op) string {
	var words []string
	switch op.Kind {
	case engine.Pop, engine.Peek:
		for _, ev := range op.Events {
			word := fmt.Sprintf("%s=%s", ev.ID, ev.Contents)
			if op.Kind == engine.Pop {
				word += fmt.Sprintf("#%d", ev.Deliveries)
			}
			words = append(words, word)
		}
	case engine.Ack, engine.Touch, engine.Move, engine.Remove, engine.Replace:
		words = append(words, fmt.Sprint(op.OK))
	case engine.Status:
		for _, row := range op.Rows {
			words = append(words, fmt.Sprint(row.Queue, [3]int{row.Ready, row.Leased, row.Delayed}))
		}
	}
	if op.Err != nil {
		words = append(words, op.Err.Error())
	}
	return strings.Join(words, " ")
}

func opText(op engine.Op) string {
	return fmt.Sprintf("kind %d queue %s id %s front %v redo %v release %v delay %v lease %v count %d",
		op.Kind, op.Queue, op.ID, op.Front, op.Redo, op.Release, op.Delay, op.Lease, cmp.Or(op.Count, 1))
}
