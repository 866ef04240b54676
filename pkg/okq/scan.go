package okq

import (
	"bytes"
	"errors"
	"strconv"
)

// What a reply may be at most. The largest is a batch of events, a mail of 30 MB each.
const (
	maxReplyLine  = 64 << 10
	maxReplyBulk  = 256 << 20
	maxReplyArray = 1 << 20
	maxReplyDepth = 6
)

var errProtocol = errors.New("not okq's protocol")

// scanner follows a stream of RESP2 values and checks their form, without keeping them: rueidis believes whatever a
// server declares, and ends the process over a length that cannot be allocated or a reply too many.
type scanner struct {
	begin func() error // is called as each top-level value begins

	line []byte // of an unfinished line
	skip int    // bytes of a bulk string, with its end of line, still to come
	left []int  // elements still to come of each array that is open, the innermost last
}

// scan checks the next bytes of the stream.
func (s *scanner) scan(p []byte) error {
	for len(p) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(p))
			s.skip -= n
			p = p[n:]
			continue
		}
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			if len(s.line)+len(p) > maxReplyLine {
				return errProtocol
			}
			s.line = append(s.line, p...)
			return kind(s.line)
		}
		line := p[:end+1]
		if len(s.line) > 0 {
			line = append(s.line, line...)
		}
		p = p[end+1:]
		if err := s.value(line); err != nil {
			return err
		}
		s.line = s.line[:0]
	}
	return nil
}

// kind refuses a line that begins no value, even before its end has come.
func kind(line []byte) error {
	if bytes.IndexByte([]byte("+-:$*"), line[0]) < 0 {
		return errProtocol
	}
	return nil
}

// value takes the line that begins a value: all of it, but for bulk strings and arrays.
func (s *scanner) value(line []byte) error {
	n := len(line)
	if n < 3 || n > maxReplyLine || line[n-2] != '\r' || kind(line) != nil {
		return errProtocol
	}
	if len(s.left) == 0 {
		if err := s.begin(); err != nil {
			return err
		}
	} else {
		s.left[len(s.left)-1]--
	}
	switch text := line[1 : n-2]; line[0] {
	case ':':
		if _, err := strconv.ParseInt(string(text), 10, 64); err != nil {
			return errProtocol
		}
	case '$':
		size, err := length(text, maxReplyBulk)
		if err != nil {
			return err
		}
		if size >= 0 {
			s.skip = size + 2
		}
	case '*':
		size, err := length(text, maxReplyArray)
		if err != nil || len(s.left) == maxReplyDepth {
			return errProtocol
		}
		if size > 0 {
			s.left = append(s.left, size)
		}
	}
	for len(s.left) > 0 && s.left[len(s.left)-1] == 0 {
		s.left = s.left[:len(s.left)-1]
	}
	return nil
}

// length reads a length, or -1 for nil.
func length(text []byte, most int) (int, error) {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < -1 || n > most || text[0] == '+' {
		return 0, errProtocol
	}
	return n, nil
}
