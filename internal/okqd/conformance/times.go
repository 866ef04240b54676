package conformance

import (
	"strings"
	"time"
)

// late is how long after its end a lease or delay may still hide the event.
const late = 1500 * time.Millisecond

// comesBack pops until the event is there, and checks that it is neither before the end nor late. What hides it
// began between earliest and latest.
func (c *client) comesBack(want, command string, earliest, latest time.Time, span time.Duration) {
	c.s.Helper()
	for {
		asked := time.Now()
		got := c.do(strings.Split(command, " ")...)
		switch now := time.Now(); {
		case got == want && now.Sub(earliest) < span:
			c.s.Fatalf("%q came after %v, not %v", got, now.Sub(earliest), span)
		case got == want:
			return
		case got != null && got != "*0\r\n":
			c.s.Fatalf("%s: got %q, want %q", command, got, want)
		case asked.Sub(latest) > span+late:
			c.s.Fatalf("%s: nothing %v after %v", command, asked.Sub(latest)-span, span)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func leaseEnds(s *suite) {
	c := s.dial()
	c.want(ok, "QLPUSH q first 1")
	c.want(ok, "QLPUSH q second 2")
	before := time.Now()
	c.want(event("first", "1"), "QRPOP q EX 1")
	after := time.Now()
	c.want(event("second", "2"), "QRPOP q EX 60")
	c.comesBack("*1\r\n"+delivered("first", "1", 2), "QRPOP q EX 60 COUNT 1", before, after, time.Second)
}

func touch(s *suite) {
	c := s.dial()
	c.want(no, "QTOUCH q id EX 5")
	c.want(ok, "QLPUSH q id x")
	c.want(no, "QTOUCH q id EX 5")
	c.want(event("id", "x"), "QRPOP q EX 1")
	before := time.Now()
	c.want(yes, "QTOUCH q id EX 3")
	after := time.Now()
	c.comesBack("*1\r\n"+delivered("id", "x", 2), "QRPOP q EX 60 COUNT 1", before, after, 3*time.Second)
	before = time.Now()
	c.want(yes, "QTOUCH q id EX 1") // shorter is right, too: it begins now
	c.comesBack("*1\r\n"+delivered("id", "x", 3), "QRPOP q EX 60 COUNT 1", before, time.Now(), time.Second)
	c.want(yes, "QACK q id")
	c.want(no, "QTOUCH q id EX 5")
}

// redoLease: the original gave the next consumer what was left of the lease before.
func redoLease(s *suite) {
	c := s.dial()
	c.want(ok, "QLPUSH q id x")
	c.want(event("id", "x"), "QRPOP q EX 1")
	c.want(yes, "QACK q id REDO")
	before := time.Now()
	c.want(event("id", "x"), "QRPOP q EX 3")
	c.comesBack("*1\r\n"+delivered("id", "x", 3), "QRPOP q EX 60 COUNT 1", before, time.Now(), 3*time.Second)
}

func delays(s *suite) {
	c := s.dial()
	before := time.Now()
	c.want(ok, "QLPUSH q back 1 DELAY 700")
	c.want(ok, "QRPUSH q front 2 DELAY 700")
	after := time.Now()
	c.want(ok, "QLPUSH q now 3 DELAY 0")
	if st := c.status("q"); st.total != 3 || st.delayed != 2 || st.processing != 0 {
		s.Errorf("with two delayed: %+v", st)
	}
	c.want(event("now", "3"), "QRPEEK q")
	c.want(event("now", "3"), "QLPEEK q")
	c.eventually("q", "no delayed events", func(st state) bool { return st.delayed == 0 })
	c.want(event("front", "2"), "QRPEEK q")
	c.want(event("back", "1"), "QLPEEK q")
	c.comesBack("*3\r\n"+delivered("front", "2", 1)+delivered("now", "3", 1)+delivered("back", "1", 1),
		"QRPOP q EX 60 COUNT 9", before, after, 700*time.Millisecond)
}

func redoDelay(s *suite) {
	c := s.dial()
	c.want(ok, "QLPUSH q id x")
	c.want(ok, "QLPUSH q other y")
	c.want(event("id", "x"), "QRPOP q EX 60")
	before := time.Now()
	c.want(yes, "QACK q id REDO DELAY 600")
	after := time.Now()
	c.want(no, "QACK q id REDO")
	c.want(no, "QTOUCH q id EX 5")
	c.want(event("other", "y"), "QRPEEK q")
	c.eventually("q", "no delayed events", func(st state) bool { return st.delayed == 0 })
	c.comesBack("*2\r\n"+delivered("id", "x", 2)+delivered("other", "y", 1),
		"QRPOP q EX 60 COUNT 2", before, after, 600*time.Millisecond)
}

func release(s *suite) {
	c := s.dial()
	c.want(ok, "QLPUSH q id x")
	for range 3 {
		c.want("*1\r\n"+delivered("id", "x", 1), "QRPOP q EX 60 COUNT 1")
		c.want(yes, "QACK q id REDO RELEASE")
	}
	c.want("*1\r\n"+delivered("id", "x", 1), "QRPOP q EX 60 COUNT 1")
	c.want(yes, "QACK q id REDO")
	c.want("*1\r\n"+delivered("id", "x", 2), "QRPOP q EX 60 COUNT 1")
	c.want(yes, "QACK q id REDO DELAY 1 RELEASE")
	c.want(no, "QACK q id REDO RELEASE")
	s.target.Restart()
	c = s.dial()
	c.eventually("q", "no delayed events", func(st state) bool { return st.delayed == 0 })
	c.want("*1\r\n"+delivered("id", "x", 2), "QRPOP q EX 60 COUNT 1")
}

func statusCounts(s *suite) {
	c := s.dial()
	for _, command := range []string{"QLPUSH b 1 x", "QLPUSH b 2 x", "QLPUSH b 3 x", "QLPUSH b 4 x DELAY 600000", "QLPUSH a 1 x"} {
		c.want(ok, command)
	}
	c.want(event("1", "x"), "QRPOP b EX 60")
	if got, want := c.do("QSTATUS"), "*2\r\n*6\r\n"+bulk("a"); !strings.HasPrefix(got, want) {
		s.Errorf("QSTATUS is not sorted by name: %q", got)
	}
	st := c.status("b")
	if st.total != 4 || st.processing != 1 || st.delayed != 1 {
		s.Errorf("QSTATUS b: %+v", st)
	}
	c.eventually("b", "an age of 30 ms", func(st state) bool { return st.age >= 30 })
	c.want("*2\r\n"+bulk("a            total: 1  processing: 0  consumers: 0")+
		bulk("longer-name  total: 0  processing: 0  consumers: 0"), "QINFO a longer-name")
}
