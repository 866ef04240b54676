package conformance

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// client speaks the protocol with nothing of the server's own code in it.
type client struct {
	s  *suite
	nc net.Conn
	r  *bufio.Reader

	tokens map[string]string // by event id, of the last lease that a pop with COUNT told
}

// patience is how long a reply may take on a busy machine.
const patience = 30 * time.Second

func (s *suite) dial() *client {
	s.Helper()
	nc, err := net.Dial("tcp", s.target.Addr())
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { nc.Close() })
	return &client{s: s, nc: nc, r: bufio.NewReader(nc), tokens: make(map[string]string)}
}

// encode is a command on the wire.
func encode(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return b.String()
}

func (c *client) send(raw string) {
	c.s.Helper()
	if _, err := io.WriteString(c.nc, raw); err != nil {
		c.s.Fatal(err)
	}
}

// do sends a command and returns the reply's bytes, without lease tokens, which nobody can foretell: see tokens.
func (c *client) do(args ...string) string {
	c.s.Helper()
	c.send(encode(args...))
	reply := c.reply()
	if strings.EqualFold(args[0], "QRPOP") {
		return c.keepTokens(reply)
	}
	return reply
}

// keepTokens takes the tokens out of the rows of a pop with COUNT.
func (c *client) keepTokens(reply string) string {
	c.s.Helper()
	r := bufio.NewReader(strings.NewReader(reply))
	line, _ := r.ReadString('\n')
	without := line
	for {
		head, err := r.ReadString('\n')
		if err != nil || head != "*4\r\n" {
			return without + head + rest(r)
		}
		var fields [4]string
		for i := range fields {
			if fields[i], err = readReply(r); err != nil {
				c.s.Fatalf("%q ends within a row: %v", reply, err)
			}
		}
		_, id, _ := strings.Cut(fields[0], "\r\n")
		_, token, _ := strings.Cut(fields[3], "\r\n")
		c.tokens[strings.TrimSuffix(id, "\r\n")] = strings.TrimSuffix(token, "\r\n")
		without += "*3\r\n" + fields[0] + fields[1] + fields[2]
	}
}

func rest(r io.Reader) string {
	b, _ := io.ReadAll(r) // of a string
	return string(b)
}

// want sends a command, split at spaces, whose reply must be these bytes.
func (c *client) want(reply, command string) {
	c.s.Helper()
	if got := c.do(strings.Split(command, " ")...); got != reply {
		c.s.Errorf("%s\n got %q\nwant %q", command, got, reply)
	}
}

// reply reads one reply.
func (c *client) reply() string {
	c.s.Helper()
	c.nc.SetReadDeadline(time.Now().Add(patience)) //nolint:errcheck // the read tells
	raw, err := readReply(c.r)
	if err != nil {
		c.s.Fatalf("read reply: %v (so far %q)", err, raw)
	}
	return raw
}

// closed checks that the server closes the connection after what it may still say.
func (c *client) closed() {
	c.s.Helper()
	c.nc.SetReadDeadline(time.Now().Add(patience)) //nolint:errcheck // the read tells
	if rest, err := io.ReadAll(c.r); err != nil {
		c.s.Errorf("connection is still open: %v (%q)", err, rest)
	}
}

func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return line, err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$':
		if n < 0 {
			return line, nil
		}
		b := make([]byte, n+2)
		_, err := io.ReadFull(r, b)
		return line + string(b), err
	case '%':
		n *= 2
		fallthrough
	case '*':
		for range n {
			element, err := readReply(r)
			line += element
			if err != nil {
				return line, err
			}
		}
	}
	return line, nil
}

// bulk is a bulk string on the wire.
func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// event is a pop's reply, delivered one of a COUNT.
func event(id, contents string) string { return "*2\r\n" + bulk(id) + bulk(contents) }

func delivered(id, contents string, deliveries int) string {
	return fmt.Sprintf("*3\r\n%s%s:%d\r\n", bulk(id), bulk(contents), deliveries)
}

const (
	ok   = "+OK\r\n"
	null = "$-1\r\n"
	yes  = ":1\r\n"
	no   = ":0\r\n"
)
