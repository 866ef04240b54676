package conformance

import (
	"fmt"
	"strings"
)

// wire is what is not a command to the letter.
func wire(s *suite) {
	c := s.dial()
	for raw, want := range map[string]string{
		"*1\r\n:5\r\n":                    "-ERR invalid command\r\n",
		"*0\r\n":                          "-ERR unknown command \"\"\r\n",
		"*-1\r\n" + encode("PING"):        "+PONG\r\n",
		strings.Repeat(encode("PING"), 3): "+PONG\r\n",
	} {
		c.send(raw)
		for range max(1, strings.Count(raw, "PING")) {
			if got := c.reply(); got != want {
				s.Errorf("%q\n got %q\nwant %q", raw, got, want)
			}
		}
	}
	for _, garbage := range []string{
		"PING\r\n", "xyz\r\n", "\r\n", "*1\r\n$10000000000\r\n", "*2000000000\r\n", "*1\r\n$4\r\nPINGxx", "*x\r\n",
	} {
		c := s.dial()
		c.send(garbage)
		c.closed()
	}
}

// greetings are what client libraries send before anything else.
func greetings(s *suite) {
	c := s.dial()
	c.want(ok, "SELECT 0")
	c.want("-ERR DB index is out of range\r\n", "SELECT 1")
	c.want(bulk("hi"), "ECHO hi")
	c.want(ok, "CLIENT SETINFO LIB-NAME test")
	c.want(ok, "CLIENT SETNAME test")
	c.want(bulk("test"), "CLIENT GETNAME")
	c.want("*0\r\n", "COMMAND")
	if got := c.do("INFO"); !strings.Contains(got, "loading:0") {
		s.Errorf("INFO: %q", got)
	}
	if got := c.do("CLIENT", "ID"); got[0] != ':' {
		s.Errorf("CLIENT ID: %q", got)
	}
	if got := c.do("HELLO", "2"); !strings.HasPrefix(got, "*14\r\n") {
		s.Errorf("HELLO 2: %q", got)
	}
	if got := c.do("HELLO", "4"); !strings.HasPrefix(got, "-NOPROTO ") {
		s.Errorf("HELLO 4: %q", got)
	}
	for _, word := range []string{"DELAY", "COUNT", "DELIVERIES", "RELEASE", "QTOUCH", "QPEEK", "QSCAN", "QSTATUS", "LEASE", "QMOVE", "QREMOVE", "QREPLACE"} {
		if got := c.do("QCAPS"); !strings.Contains(got, bulk(word)) {
			s.Errorf("QCAPS lacks %s: %q", word, got)
		}
	}
	c.want("-ERR unknown command \"QBOGUS\"\r\n", "QBOGUS")
	c.send(encode("HELLO", "3") + encode("QRPOP", "none") + encode("QUIT"))
	if got := c.reply(); !strings.HasPrefix(got, "%7\r\n") {
		s.Errorf("HELLO 3: %q", got)
	}
	if got := c.reply(); got != "_\r\n" {
		s.Errorf("null of RESP3: %q", got)
	}
	if got := c.reply(); got != ok {
		s.Errorf("QUIT: %q", got)
	}
	c.closed()
}

func pipelining(s *suite) {
	c := s.dial()
	var request, want strings.Builder
	add := func(reply string, args ...string) {
		request.WriteString(encode(args...))
		want.WriteString(reply)
	}
	const n = 3000
	for i := range n {
		id := fmt.Sprint(i)
		add(ok, "QLPUSH", "q", id, "contents of "+id)
	}
	for i := range n {
		id := fmt.Sprint(i)
		add(event(id, "contents of "+id), "QRPOP", "q", "EX", "60")
		add("+PONG\r\n", "PING")
		add(yes, "QACK", "q", id)
		add(no, "QACK", "q", id)
	}
	// A command sees what the one before it did, whatever that was.
	add(ok, "QLPUSH", "q", "id", "1")
	add(event("id", "1"), "QRPOP", "q", "EX", "0")
	add(no, "QACK", "q", "id")
	add(ok, "QLPUSH", "q", "id", "2")
	add(ok, "QREGISTER", "q")
	add(bulk("q"), "QNOTIFY", "5")
	add(ok, "QFLUSH", "q")
	add(null, "QRPOP", "q")
	sent := make(chan struct{})
	go func() { defer close(sent); c.send(request.String()) }()
	rest := want.String()
	for rest != "" {
		got := c.reply()
		if !strings.HasPrefix(rest, got) {
			s.Fatalf("got %q, want %.60q", got, rest)
		}
		rest = rest[len(got):]
	}
	<-sent
}

func binary(s *suite) {
	c := s.dial()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	queue, id, contents := "q\r\n\x00\xff", "id\x00\r\n\xfe", string(all)
	if got := c.do("QLPUSH", queue, id, contents); got != ok {
		s.Errorf("push: %q", got)
	}
	if got, want := c.do("QRPOP", queue, "EX", "60"), event(id, contents); got != want {
		s.Errorf("pop: got %q, want %q", got, want)
	}
	if got := c.do("QACK", queue, id); got != yes {
		s.Errorf("ack: %q", got)
	}
}

// largeEvents: a pop gives fewer events than asked for rather than a reply of any size, and each of them.
func largeEvents(s *suite) {
	c := s.dial()
	contents := strings.Repeat("0123456789abcdef", 3<<20/16)
	const n = 4
	for i := range n {
		if got := c.do("QLPUSH", "q", fmt.Sprint(i), contents); got != ok {
			s.Fatalf("push: %q", got)
		}
	}
	for i := 0; i < n; {
		got := c.do("QRPOP", "q", "EX", "60", "COUNT", "100")
		before := i
		for i < n && strings.Contains(got, delivered(fmt.Sprint(i), contents, 1)) {
			i++
		}
		if i == before {
			s.Fatalf("reply of %d bytes lacks event %d", len(got), i)
		}
	}
}
