package conformance

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// notifyReasons: whatever makes an event ready wakes a consumer, and wakes it before its wait is over.
func notifyReasons(s *suite) {
	for reason, commands := range map[string][]string{
		"a push":               {"QLPUSH q id x"},
		"a push to the front":  {"QRPUSH q id x"},
		"the end of a delay":   {"QLPUSH q id x DELAY 300"},
		"a redo":               {"QLPUSH q id x", "QRPOP q EX 60", "QACK q id REDO"},
		"the end of a lease":   {"QLPUSH q id x", "QRPOP q EX 1"},
		"a redo's delay's end": {"QLPUSH q id x", "QRPOP q EX 60", "QACK q id REDO DELAY 300"},
	} {
		worker, consumer := s.dial(), s.dial()
		last := len(commands) - 1
		for _, command := range commands[:last] {
			worker.do(strings.Split(command, " ")...)
		}
		consumer.want(ok, "QREGISTER other q")
		if strings.Contains(reason, "end of a lease") {
			worker.do(strings.Split(commands[last], " ")...)
		}
		begin := time.Now()
		consumer.send(encode("QNOTIFY", "25"))
		time.Sleep(20 * time.Millisecond) // most often it waits by now; the promise holds either way
		if !strings.Contains(reason, "end of a lease") {
			worker.do(strings.Split(commands[last], " ")...)
		}
		if got := consumer.reply(); got != bulk("q") {
			s.Errorf("%s: QNOTIFY answered %q after %v", reason, got, time.Since(begin))
		}
		consumer.want(ok, "QREGISTER")
		worker.want(yes, "QACK q id")
	}
}

// notifyAll: many wait for one queue, each takes one event and leaves; all get theirs, even if some of those that are
// woken take nothing.
func notifyAll(s *suite) {
	const consumers, lazy = 40, 10
	pusher := s.dial()
	var wg sync.WaitGroup
	got := make(chan string, consumers)
	for i := range consumers {
		c := s.dial()
		c.want(ok, "QREGISTER q")
		wg.Go(func() {
			if i%(consumers/lazy) == 0 { // is told, and takes nothing
				c.send(encode("QNOTIFY", "25"))
				c.reply()
				return
			}
			for {
				if reply := c.do("QNOTIFY", "25"); reply != bulk("q") {
					got <- "QNOTIFY: " + reply
					return
				}
				if reply := c.do("QRPOP", "q", "EX", "60"); reply != null {
					got <- reply
					return
				}
			}
		})
	}
	for i := range consumers - lazy {
		pusher.want(ok, fmt.Sprintf("QLPUSH q %d x", i))
	}
	wg.Wait()
	close(got)
	n := 0
	for reply := range got {
		n++
		if !strings.HasPrefix(reply, "*2\r\n") {
			s.Errorf("consumer got %q", reply)
		}
	}
	if n != consumers-lazy {
		s.Errorf("%d events were taken, want %d", n, consumers-lazy)
	}
}

// notifyFair: a queue that is never empty does not hide the others of the same consumer.
func notifyFair(s *suite) {
	c := s.dial()
	c.want(ok, "QREGISTER a b c")
	c.want(null, "QNOTIFY 0")
	c.want(ok, "QLPUSH a 1 x")
	c.want(ok, "QLPUSH c 1 x")
	for _, want := range []string{"a", "c", "a", "c"} {
		c.want(bulk(want), "QNOTIFY 20")
	}
}

func consumers(s *suite) {
	c, other := s.dial(), s.dial()
	c.want(ok, "QREGISTER q q r")
	other.want(ok, "QREGISTER q")
	if st := c.status("q"); st.consumers != 2 {
		s.Errorf("two registered: %+v", st)
	}
	c.want(ok, "QREGISTER r")
	if st := c.status("q"); st.consumers != 1 {
		s.Errorf("one went over to another queue: %+v", st)
	}
	other.send(encode("QNOTIFY", "600"))
	other.nc.Close() // in the middle of its wait
	c.eventually("q", "no consumers", func(st state) bool { return st.consumers == 0 })
	c.want(ok, "QREGISTER")
	c.eventually("r", "no consumers", func(st state) bool { return st.consumers == 0 })
}

// competition: many producers and consumers at once; every event is taken by exactly one consumer.
func competition(s *suite) {
	const producers, consumers, each = 8, 8, 200
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := make(map[string]int)
	for p := range producers {
		c := s.dial()
		wg.Go(func() {
			for i := range each {
				c.do("QLPUSH", "q", fmt.Sprintf("%d-%d", p, i), "x")
			}
		})
	}
	for range consumers {
		c := s.dial()
		c.want(ok, "QREGISTER q")
		wg.Go(func() {
			for c.do("QNOTIFY", "1") == bulk("q") {
				reply := c.do("QRPOP", "q", "EX", "60", "COUNT", "7")
				for _, id := range ids(reply) {
					if c.do("QACK", "q", id) != yes {
						c.s.Errorf("ack of %s", id)
					}
					mu.Lock()
					seen[id]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	for id, times := range seen {
		if times != 1 {
			s.Errorf("event %s was given %d times", id, times)
		}
	}
	if len(seen) != producers*each {
		s.Errorf("%d events were seen, want %d", len(seen), producers*each)
	}
}

// ids are the events of a reply to a pop with COUNT, whose contents have no line breaks.
func ids(reply string) []string {
	var ids []string
	_, reply, _ = strings.Cut(reply, "\r\n") // how many
	for _, ev := range strings.Split(reply, "*3\r\n")[1:] {
		ids = append(ids, strings.Split(ev, "\r\n")[1])
	}
	return ids
}
