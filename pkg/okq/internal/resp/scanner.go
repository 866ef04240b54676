// Package resp checks the form of a stream of RESP2 values as it passes.
package resp

import (
	"bytes"
	"errors"
	"strconv"
)

// What a value may be at most. The largest is a batch of events, a mail of 30 MB each.
const (
	maxLine  = 64 << 10
	maxBulk  = 256 << 20
	maxArray = 1 << 20
	maxDepth = 6
)

// ErrProtocol is a stream that is not RESP2, or beyond the limits.
var ErrProtocol = errors.New("not okq's protocol")

// Scanner follows a stream of RESP2 values and checks their form, without keeping them: rueidis believes whatever a
// server declares, and ends the process over a length that cannot be allocated or a reply too many.
type Scanner struct {
	Begin func() error // is called as each top-level value begins

	line []byte // of an unfinished line
	skip int    // bytes of a bulk string, with its end of line, still to come
	left []int  // elements still to come of each array that is open, the innermost last
}

// Scan checks the next bytes of the stream.
func (s *Scanner) Scan(p []byte) error {
	for len(p) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(p))
			s.skip -= n
			p = p[n:]
			continue
		}
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			if len(s.line)+len(p) > maxLine {
				return ErrProtocol
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
		return ErrProtocol
	}
	return nil
}

// value takes the line that begins a value: all of it, but for bulk strings and arrays.
func (s *Scanner) value(line []byte) error {
	n := len(line)
	if n < 3 || n > maxLine || line[n-2] != '\r' || kind(line) != nil {
		return ErrProtocol
	}
	if len(s.left) == 0 {
		if err := s.Begin(); err != nil {
			return err
		}
	} else {
		s.left[len(s.left)-1]--
	}
	switch text := line[1 : n-2]; line[0] {
	case ':':
		if _, err := strconv.ParseInt(string(text), 10, 64); err != nil {
			return ErrProtocol
		}
	case '$':
		size, err := length(text, maxBulk)
		if err != nil {
			return err
		}
		if size >= 0 {
			s.skip = size + 2
		}
	case '*':
		size, err := length(text, maxArray)
		if err != nil || len(s.left) == maxDepth {
			return ErrProtocol
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
		return 0, ErrProtocol
	}
	return n, nil
}
