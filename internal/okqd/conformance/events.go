package conformance

import (
	"fmt"
	"strconv"
	"strings"
)

func order(s *suite) {
	c := s.dial()
	c.want(ok, "QLPUSH q b 2")
	c.want(ok, "QLPUSH q c 3")
	c.want(ok, "QRPUSH q a 1")
	c.want(ok, "QRPUSH q 0 0")
	c.want(event("0", "0"), "QRPEEK q")
	c.want(event("c", "3"), "QLPEEK q")
	for _, id := range []string{"0", "a", "b", "c"} {
		if got := c.do("QRPOP", "q"); !strings.Contains(got, bulk(id)) {
			s.Errorf("got %q, want event %s", got, id)
		}
	}
	c.want(null, "QRPOP q")
	c.want(null, "QRPEEK q")
	c.want(null, "QLPEEK q")
}

func duplicates(s *suite) {
	c := s.dial()
	const refused = "-ERR duplicate event id\r\n"
	c.want(ok, "QLPUSH q id ready")
	c.want(refused, "QLPUSH q id x")
	c.want(refused, "QRPUSH q id x")
	c.want(ok, "QLPUSH other id x")
	c.want(event("id", "ready"), "QRPOP q EX 60")
	c.want(refused, "QLPUSH q id x")
	c.want(yes, "QACK q id")
	c.want(ok, "QLPUSH q id delayed DELAY 600000")
	c.want(refused, "QLPUSH q id x")
	c.want(yes, "QACK q id")
	c.want(ok, "QLPUSH q id again")
	c.want(event("id", "again"), "QRPEEK q")
}

func noLease(s *suite) {
	c := s.dial()
	c.want(ok, "QLPUSH q a 1")
	c.want(ok, "QLPUSH q b 2")
	c.want(event("a", "1"), "QRPOP q EX 0")
	c.want(no, "QACK q a")
	c.want(no, "QACK q a REDO")
	if st := c.status("q"); st.total != 1 || st.processing != 0 {
		s.Errorf("after a pop for good: %+v", st)
	}
	c.want(ok, "QLPUSH q a 3")
	c.want("*2\r\n"+delivered("b", "2", 1)+delivered("a", "3", 1), "QRPOP q EX 0 COUNT 5")
}

func acks(s *suite) {
	c := s.dial()
	c.want(no, "QACK q id")
	for state, commands := range map[string][]string{
		"ready":   {"QLPUSH q id x"},
		"delayed": {"QLPUSH q id x DELAY 600000"},
		"leased":  {"QLPUSH q id x", "QRPOP q EX 60"},
		"redone":  {"QLPUSH q id x", "QRPOP q EX 60", "QACK q id REDO"},
		"put off": {"QLPUSH q id x", "QRPOP q EX 60", "QACK q id REDO DELAY 600000"},
	} {
		for _, command := range commands {
			c.do(strings.Split(command, " ")...)
		}
		if got := c.do("QACK", "q", "id"); got != yes {
			s.Errorf("QACK of an event that is %s: %q", state, got)
		}
		c.want(no, "QACK q id")
	}
	c.want(ok, "QLPUSH q id x")
	c.want(no, "QACK q id REDO") // only what is leased can be given back
	c.want(ok, "QLPUSH q late x DELAY 600000")
	c.want(no, "QACK q late REDO")
}

// peekByID looks at one event as it goes from state to state. The milliseconds are looked at apart, as they pass.
func peekByID(s *suite) {
	c := s.dial()
	stands := func(state, contents string, deliveries int, atMost int) {
		s.Helper()
		got := c.do("QPEEK", "q", "id")
		prefix := fmt.Sprintf("*4\r\n%s%s:%d\r\n:", bulk(state), bulk(contents), deliveries)
		ms, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(got, prefix)))
		if err != nil || !strings.HasPrefix(got, prefix) || ms > atMost || atMost > 0 && ms < atMost/2 {
			s.Errorf("got %q, want %q and at most %d ms", got, prefix, atMost)
		}
	}
	c.want(null, "QPEEK q id")
	c.want(ok, "QLPUSH q id x DELAY 600000")
	stands("delayed", "x", 0, 600_000)
	c.want(yes, "QACK q id")
	c.want(null, "QPEEK q id")
	c.want(ok, "QLPUSH q id y")
	c.want(ok, "QRPUSH q other z")
	stands("ready", "y", 0, 0)
	c.want("*2\r\n"+delivered("other", "z", 1)+delivered("id", "y", 1), "QRPOP q EX 600 COUNT 2")
	stands("leased", "y", 1, 601_000)
	c.want(yes, "QACK q id REDO DELAY 600000")
	stands("delayed", "y", 1, 600_000)
	c.want(yes, "QACK q id")
	c.want(null, "QPEEK q id")
	c.want("-ERR missing args\r\n", "QPEEK q")
}

func counts(s *suite) {
	c := s.dial()
	c.want("*0\r\n", "QRPOP q COUNT 3")
	for i := range 5 {
		c.want(ok, fmt.Sprintf("QLPUSH q %d x%d", i, i))
	}
	c.want("*2\r\n"+delivered("0", "x0", 1)+delivered("1", "x1", 1), "QRPOP q EX 60 COUNT 2")
	c.want(yes, "QACK q 0 REDO")
	c.want("*1\r\n"+delivered("0", "x0", 2), "qrpop q count 1 ex 60")
	c.want(event("2", "x2"), "QRPOP q EX 60")
	c.want("*2\r\n"+delivered("3", "x3", 1)+delivered("4", "x4", 1), "QRPOP q EX 60 COUNT 1000000")
	for i := range 5 {
		c.want(yes, fmt.Sprintf("QACK q %d", i))
	}
}

func badValues(s *suite) {
	c := s.dial()
	for command, reply := range map[string]string{
		"QRPOP q COUNT 0":         "bad count value: 0 < 1",
		"QRPOP q COUNT -3":        "bad count value: -3 < 1",
		"QRPOP q COUNT x":         `bad count value: strconv.Atoi: parsing "x": invalid syntax`,
		"QRPOP q COUNT":           "missing args",
		"QLPUSH q id x DELAY -1":  "bad delay value: -1 < 0",
		"QLPUSH q id x DELAY 1s":  `bad delay value: strconv.Atoi: parsing "1s": invalid syntax`,
		"QLPUSH q id x DELAY":     "missing args",
		"QACK q id REDO DELAY -1": "bad delay value: -1 < 0",
		"QTOUCH q":                "missing args",
		"QTOUCH q id EX 0":        "bad expires value: 0 < 1",
		"QTOUCH q id EX x":        `bad expires value: strconv.Atoi: parsing "x": invalid syntax`,
		"QLPEEK":                  "missing args",
		"QFLUSH":                  "missing args",
	} {
		c.want("-ERR "+reply+"\r\n", command)
	}
	c.want("*0\r\n", "QSTATUS")
	c.want(ok, "QLPUSH q id x DELAY 9223372036854775807") // longer than can be: for ever
	c.want(ok, "QLPUSH q id2 x")
	c.want(event("id2", "x"), "QRPOP q EX 9223372036854775807")
}
