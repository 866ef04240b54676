package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"
)

// scan returns all ids that a whole QSCAN tells, sorted.
func (c *client) scan(queue string, count int) []string {
	c.s.Helper()
	var ids []string
	for cursor := "0"; ; {
		lines := strings.Split(c.do("QSCAN", queue, cursor, "COUNT", strconv.Itoa(count)), "\r\n")
		if len(lines) < 4 || lines[0] != "*2" {
			c.s.Fatalf("QSCAN %s %s: %q", queue, cursor, lines)
		}
		cursor = lines[2]
		for i := 5; i < len(lines); i += 2 {
			ids = append(ids, lines[i])
		}
		if cursor == "0" {
			slices.Sort(ids)
			return ids
		}
	}
}

// scans checks that a scan finds all events, ready, delayed and leased, each once when nothing moves.
func scans(s *suite) {
	c := s.dial()
	if ids := c.scan("q", 10); len(ids) > 0 {
		s.Errorf("an empty queue has %q", ids)
	}
	var want []string
	for i := range 1000 {
		id := fmt.Sprintf("%04d", i)
		want = append(want, id)
		delay := []string{}
		if i%3 == 0 {
			delay = []string{"DELAY", "3600000"}
		}
		c.do(append([]string{"QLPUSH", "q", id, "x"}, delay...)...)
		c.do("QLPUSH", "other", id, "x")
	}
	c.do("QRPOP", "q", "EX", "3600", "COUNT", "200")
	for _, count := range []int{7, 100, 1000} {
		if got := c.scan("q", count); !slices.Equal(got, want) {
			s.Errorf("COUNT %d: %d ids, want %d", count, len(got), len(want))
		}
	}
	c.want(`-ERR bad cursor value: "x" is none of mine`+"\r\n", "QSCAN q x")
	c.want("-ERR bad count value: 0 < 1\r\n", "QSCAN q 0 COUNT 0")
	c.want("-ERR missing args\r\n", "QSCAN q")
}

// scanWhileTaken checks that a scan whose ids are removed as they come, as operators do, goes on and leaves none.
func scanWhileTaken(s *suite) {
	c := s.dial()
	for i := range 500 {
		c.do("QLPUSH", "q", fmt.Sprint(i), "x")
	}
	for cursor := "0"; ; {
		lines := strings.Split(c.do("QSCAN", "q", cursor, "COUNT", "10"), "\r\n")
		for i := 5; i < len(lines); i += 2 {
			c.do("QACK", "q", lines[i])
		}
		if cursor = lines[2]; cursor == "0" {
			break
		}
	}
	if st := c.status("q"); st.total != 0 {
		s.Errorf("%d events were never told of", st.total)
	}
}

// checkLooks compares QPEEK and QSCAN with the model.
func (q *modelQueue) checkLooks(t *rapid.T, c *client) {
	var want []string
	for state, list := range map[string][]modelEvent{"ready": q.ready, "delayed": q.delayed, "leased": q.leased} {
		for _, ev := range list {
			want = append(want, ev.id)
			stands := fmt.Sprintf("*4\r\n%s%s:%d\r\n:", bulk(state), bulk(ev.contents), ev.deliveries)
			if reply := c.do("QPEEK", q.name, ev.id); !strings.HasPrefix(reply, stands) {
				t.Fatalf("QPEEK %s %s: %q, model %v", q.name, ev.id, reply, q)
			}
		}
	}
	slices.Sort(want)
	if ids := c.scan(q.name, 2); !slices.Equal(ids, want) {
		t.Fatalf("QSCAN %s: %q, model %v", q.name, ids, q)
	}
}
