package local

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
)

// Events come and go anywhere in the order of pushes; pages, however long, give those that are there, in order.
func TestPagesGiveWhatIsThereInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var o pushOrder
		var want []*event
		newest := serial(0)
		remove := func(i int) {
			o.remove(want[i])
			want = slices.Delete(want, i, i+1)
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 700).Draw(t, "events") {
					newest += serial(rapid.IntRange(1, 3).Draw(t, "step"))
					ev := &event{id: fmt.Sprint(newest), serial: newest}
					o.add(ev)
					want = append(want, ev)
				}
			},
			"add an older one": func(t *rapid.T) {
				ev := &event{serial: serial(rapid.Uint64Range(1, uint64(newest+1)).Draw(t, "serial"))}
				ev.id = fmt.Sprint(ev.serial)
				i, found := slices.BinarySearchFunc(want, ev.serial, bySerial)
				if found {
					return
				}
				o.add(ev)
				want, newest = slices.Insert(want, i, ev), max(newest, ev.serial)
			},
			"remove the oldest": func(t *rapid.T) {
				for range rapid.IntRange(0, len(want)).Draw(t, "events") {
					remove(0)
				}
			},
			"remove some": func(t *rapid.T) {
				keep := rapid.IntRange(2, 9).Draw(t, "one of")
				for i := len(want) - 1; i >= 0; i-- {
					if i%keep > 0 {
						remove(i)
					}
				}
			},
			"": func(t *rapid.T) {
				count := rapid.IntRange(1, 400).Draw(t, "count")
				var got []string
				for after := serial(0); ; {
					page, next := o.page(after, count)
					for _, id := range page {
						got = append(got, string(id))
					}
					if next == "" {
						break
					}
					fmt.Sscan(next, &after)
				}
				if !slices.EqualFunc(got, want, func(id string, ev *event) bool { return id == ev.id }) {
					t.Fatalf("got %d events, want %d", len(got), len(want))
				}
			},
		})
	})
}

// filledQueue is an engine with so many events in a queue.
func filledQueue(tb failer, events int) *box {
	b := newBox(tb)
	for i := 0; i < events; {
		ops := make([]engine.Op, 0, 1000)
		for ; len(ops) < cap(ops) && i < events; i++ {
			ops = append(ops, engine.Op{Kind: engine.Push, Queue: []byte("q"), ID: []byte(fmt.Sprint(i))})
		}
		b.engine.Exec(context.Background(), ops, &engine.Room{})
	}
	return b
}

// middle is the cursor behind half of the events.
func middle(b *box) string {
	ids, next := b.engine.queues["q"].pushed.page(0, len(b.engine.queues["q"].events)/2)
	return cmp.Or(next, fmt.Sprint(len(ids)))
}

// A page of a queue of 300,000 events once took 30 to 70 ms, for all of them were looked at.
func TestPageOfALongQueueCostsAsMuchAsOfAShortOne(t *testing.T) {
	fastest := func(events int) time.Duration {
		b := filledQueue(t, events)
		defer b.stop()
		cursor, best := middle(b), time.Hour
		for range 200 {
			begin := time.Now()
			ids, _, err := b.engine.Scan(context.Background(), "q", cursor, 100)
			best = min(best, time.Since(begin))
			if len(ids) != 100 || err != nil {
				t.Fatalf("%d ids, %v", len(ids), err)
			}
		}
		return best
	}
	short, long := fastest(1000), fastest(200_000)
	t.Logf("a page of 100 events: %v of 1,000, %v of 200,000", short, long)
	if long > 10*short {
		t.Errorf("%v of a long queue, %v of a short one", long, short)
	}
}

func BenchmarkScanPage(b *testing.B) {
	for _, events := range []int{1000, 300_000} {
		b.Run(fmt.Sprint(events), func(b *testing.B) {
			q := filledQueue(b, events)
			defer q.stop()
			cursor := middle(q)
			for b.Loop() {
				if _, _, err := q.engine.Scan(context.Background(), "q", cursor, 100); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
