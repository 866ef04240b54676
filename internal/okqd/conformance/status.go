package conformance

import (
	"fmt"
	"strings"
	"time"
)

// state is a QSTATUS row.
type state struct {
	total, processing, consumers, delayed, age int
}

// status asks for one queue's row.
func (c *client) status(queue string) state {
	c.s.Helper()
	raw := c.do("QSTATUS", queue)
	var st state
	head := "*1\r\n*6\r\n" + bulk(queue)
	numbers, found := strings.CutPrefix(raw, head)
	_, err := fmt.Sscanf(numbers, ":%d\r\n:%d\r\n:%d\r\n:%d\r\n:%d\r\n",
		&st.total, &st.processing, &st.consumers, &st.delayed, &st.age)
	if !found || err != nil {
		c.s.Fatalf("QSTATUS %s: %q", queue, raw)
	}
	return st
}

// eventually waits until the queue's state is as wanted.
func (c *client) eventually(queue, what string, good func(state) bool) {
	c.s.Helper()
	deadline := time.Now().Add(patience)
	for {
		st := c.status(queue)
		if good(st) {
			return
		}
		if time.Now().After(deadline) {
			c.s.Fatalf("queue %s never came to: %s; it is %+v", queue, what, st)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// checkInvariants checks that what is counted is there: each event that is ready can be popped, and then, as all that
// were leased or delayed, removed by its id; nothing is left after that.
func (s *suite) checkInvariants() {
	s.Helper()
	if s.Failed() {
		return
	}
	c := s.dial()
	all := c.do("QSTATUS")
	for _, queue := range names(all) {
		st := c.status(queue)
		ready := 0
		for {
			raw := c.do("QRPOP", queue, "EX", "60")
			if raw == null {
				break
			}
			ready++
		}
		if want := st.total - st.processing - st.delayed; ready < want {
			s.Errorf("queue %s: %d events could be popped of %d that are ready (%+v)", queue, ready, want, st)
		}
		c.want(ok, "QFLUSH "+queue)
		if st := c.status(queue); st.total != 0 || st.processing != 0 || st.delayed != 0 {
			s.Errorf("queue %s is not empty after QFLUSH: %+v", queue, st)
		}
	}
}

// names are the queues of a QSTATUS reply, none of which has a line break in its name.
func names(status string) []string {
	var names []string
	lines := strings.Split(status, "\r\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "$") {
			names = append(names, lines[i+1])
		}
	}
	return names
}
