package conformance

import (
	"fmt"
	"time"
)

func restart(s *suite) {
	c := s.dial()
	for i := range 5 {
		c.want(ok, fmt.Sprintf("QLPUSH q %d x%d", i, i))
	}
	c.want(ok, "QRPUSH q front xf")
	c.want(event("front", "xf"), "QRPOP q EX 600")
	c.want(event("0", "x0"), "QRPOP q EX 600")
	c.want(event("1", "x1"), "QRPOP q EX 0")
	c.want(event("2", "x2"), "QRPOP q EX 600")
	c.want(yes, "QACK q 0 REDO")
	c.want(ok, "QRPUSH q front2 xf2")
	c.want(yes, "QACK q 2")
	c.want(ok, "QLPUSH q late xl DELAY 600000")
	c.want(ok, "QLPUSH flushed 1 x")
	c.want(ok, "QFLUSH flushed")

	s.target.Restart()
	c = s.dial()
	if st := c.status("q"); st.total != 6 || st.processing != 1 || st.delayed != 1 || st.consumers != 0 {
		s.Errorf("after the restart: %+v", st)
	}
	c.want("-ERR duplicate event front\r\n", "QLPUSH q front x")
	c.want("-ERR duplicate event late\r\n", "QLPUSH q late x")
	c.want(ok, "QLPUSH q 1 again")
	c.want(null, "QRPOP flushed")
	c.want("*5\r\n"+delivered("front2", "xf2", 1)+delivered("0", "x0", 2)+delivered("3", "x3", 1)+
		delivered("4", "x4", 1)+delivered("1", "again", 1), "QRPOP q EX 60 COUNT 10")
	c.want(yes, "QACK q front")
	c.want(yes, "QACK q late")
}

func restartTimes(s *suite) {
	c := s.dial()
	c.want(ok, "QLPUSH q leased x")
	before := time.Now()
	c.want(event("leased", "x"), "QRPOP q EX 3")
	c.want(ok, "QLPUSH p delayed x DELAY 3000")
	after := time.Now()
	s.target.Restart()
	c = s.dial()
	c.want(null, "QRPOP q EX 60")
	c.comesBack("*1\r\n"+delivered("leased", "x", 2), "QRPOP q EX 60 COUNT 1", before, after, 3*time.Second)
	c.comesBack(event("delayed", "x"), "QRPOP p EX 60", before, after.Add(time.Second), 3*time.Second)
}
