package conformance

import (
	"strings"
)

// leaseTokens: a lease that is over does nothing to the event any more, however often it is named.
func leaseTokens(s *suite) {
	c := s.dial()
	lease := func() string {
		s.Helper()
		c.do("QRPOP", "q", "EX", "600", "COUNT", "1")
		return c.tokens["id"]
	}
	c.want(ok, "QLPUSH q id x")
	first := lease()
	c.want(no, "QACK q id LEASE other")
	c.want(no, "QACK q none LEASE "+first)
	c.want(yes, "QTOUCH q id EX 900 LEASE "+first)
	c.want(yes, "QTOUCH q id EX 800 LEASE "+first) // an extended lease is the same lease
	c.want(yes, "QACK q id REDO RELEASE LEASE "+first)
	c.want(no, "QACK q id LEASE "+first) // ready again
	second := lease()
	for _, command := range []string{"QACK q id LEASE ", "QACK q id REDO LEASE ", "QTOUCH q id EX 9 LEASE ", "QMOVE q id p id LEASE "} {
		c.want(no, command+first)
	}
	c.want(yes, "QACK q id LEASE "+second)
	c.want(no, "QACK q id LEASE "+second)

	c.want(ok, "QLPUSH q id put-back")
	c.want(no, "QACK q id LEASE "+second)
	third := lease()
	c.want(no, "QACK q id LEASE "+second)
	c.want(yes, "QACK q id") // the plain one asks nobody
	c.want(no, "QACK q id LEASE "+third)

	c.want(ok, "QLPUSH q id x")
	c.do("QRPOP", "q", "EX", "1", "COUNT", "1")
	short := c.tokens["id"]
	c.eventually("q", "no leased events", func(st state) bool { return st.processing == 0 })
	c.want(no, "QACK q id LEASE "+short)
	c.want(event("id", "x"), "QRPEEK q")
	c.want("-ERR missing args\r\n", "QACK q id LEASE")
	c.want("-ERR missing args\r\n", "QTOUCH q id EX 5 LEASE")
	c.want(event("id", "x"), "QRPEEK q")
}

// leaseTokensRestart: a consumer that popped before a restart finishes after it, and only its own lease.
func leaseTokensRestart(s *suite) {
	c := s.dial()
	c.want(ok, "QLPUSH q a x")
	c.want(ok, "QLPUSH q b x")
	c.do("QRPOP", "q", "EX", "600", "COUNT", "2")
	released, kept := c.tokens["a"], c.tokens["b"]
	c.want(yes, "QACK q a REDO RELEASE LEASE "+released)
	c.do("QRPOP", "q", "EX", "600", "COUNT", "1")
	again := c.tokens["a"]
	c.want(yes, "QTOUCH q b EX 900 LEASE "+kept)
	s.target.Restart()
	c = s.dial()
	c.want(no, "QACK q a LEASE "+released)
	c.want(yes, "QACK q a LEASE "+again)
	c.want(yes, "QACK q b LEASE "+kept)
	c.want("*0\r\n", "QSTATUS")
}

// moving: at each moment the event is in one of the two queues.
func moving(s *suite) {
	c := s.dial()
	c.want(no, "QMOVE from id to new")
	c.want(ok, "QLPUSH from id x")
	c.want(yes, "QMOVE from id to new")
	c.want("*0\r\n", "QRPOP from COUNT 1")
	c.want(no, "QMOVE from id to new")
	c.want("*1\r\n"+delivered("new", "x", 1), "QRPOP to EX 600 COUNT 1")
	token := c.tokens["new"]
	c.want(ok, "QLPUSH from new taken")
	c.want("-ERR duplicate event new\r\n", "QMOVE to new from new LEASE "+token)
	c.want(yes, "QTOUCH to new EX 600 LEASE "+token) // it stays as it was
	c.want(no, "QMOVE to new from other LEASE none")
	c.want(yes, "QMOVE to new from other CONTENTS y DELAY 600000 LEASE "+token)
	if got := c.do("QPEEK", "from", "other"); !strings.HasPrefix(got, "*4\r\n"+bulk("delayed")+bulk("y")+":0\r\n") {
		s.Errorf("moved with a delay: %q", got)
	}
	c.want("*1\r\n"+delivered("new", "taken", 1), "QRPOP from EX 600 COUNT 1")
	c.want(yes, "QMOVE from new to back") // without a lease's name in any state
	c.want(no, "QACK from new")
	c.want(event("back", "taken"), "QRPEEK to")
	c.want("-ERR duplicate event back\r\n", "QMOVE to back to back")
	c.want(yes, "QMOVE to back to forth")
	c.want(event("forth", "taken"), "QRPEEK to")
	large := strings.Repeat("0123456789abcdef", 1<<16)
	if got := c.do("QMOVE", "to", "forth", "from", "large", "CONTENTS", large); got != yes {
		s.Errorf("a large move: %q", got)
	}
	if got := c.do("QMOVE", "from", "large", "to", "large"); got != yes {
		s.Errorf("a move of large contents: %q", got)
	}
	s.target.Restart()
	c = s.dial()
	c.want(event("large", large), "QRPOP to EX 600")
	c.want(yes, "QACK from other")
	c.want(yes, "QACK to large")
	c.want("-ERR missing args\r\n", "QMOVE from id to")
	c.want("-ERR missing args\r\n", "QMOVE from id to new CONTENTS")
	c.want("-ERR bad delay value: -1 < 0\r\n", "QMOVE from id to new DELAY -1")
	c.want("*0\r\n", "QSTATUS")
}

// movingWakes: who waits for the queue that an event is moved to is woken.
func movingWakes(s *suite) {
	c, waiter := s.dial(), s.dial()
	c.want(ok, "QLPUSH from id x")
	waiter.want(ok, "QREGISTER to")
	waiter.send(encode("QNOTIFY", "20"))
	c.eventually("to", "a consumer", func(st state) bool { return st.consumers == 1 })
	c.want(yes, "QMOVE from id to id")
	if got := waiter.reply(); got != bulk("to") {
		s.Errorf("QNOTIFY: %q", got)
	}
}

// spared: QREMOVE and QREPLACE leave alone what somebody works on.
func spared(s *suite) {
	c := s.dial()
	for _, command := range []string{"QREMOVE q id", "QREPLACE q id y"} {
		c.want(no, command)
		c.want(ok, "QLPUSH q id x")
		c.want(event("id", "x"), "QRPOP q EX 600")
		c.want(no, command)
		c.want(yes, "QACK q id REDO DELAY 600000")
		c.want(yes, command)
		c.do("QACK", "q", "id")
	}
	c.want(ok, "QLPUSH q id x")
	c.want(ok, "QLPUSH q next x")
	c.want(event("id", "x"), "QRPOP q EX 600")
	c.want(yes, "QACK q id REDO")
	c.want(yes, "QREPLACE q id y") // still delivered before
	c.want("*2\r\n"+delivered("id", "y", 2)+delivered("next", "x", 1), "QRPOP q EX 600 COUNT 2")
	c.want(yes, "QACK q id REDO DELAY 600000")
	c.want(yes, "QREPLACE q id z DELAY 500000")
	s.target.Restart()
	c = s.dial()
	if got := c.do("QPEEK", "q", "id"); !strings.HasPrefix(got, "*4\r\n"+bulk("delayed")+bulk("z")+":2\r\n") {
		s.Errorf("replaced with a delay: %q", got)
	}
	c.want(yes, "QREMOVE q id")
	c.want(no, "QREMOVE q id")
	c.want(no, "QREMOVE q next")
	c.want("-ERR missing args\r\n", "QREPLACE q id")
	c.want("-ERR missing args\r\n", "QREPLACE q id x DELAY")
}
