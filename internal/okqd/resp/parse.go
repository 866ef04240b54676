package resp

import (
	"bytes"
	"fmt"
)

// header parses a line of mark and a number, at pos, and moves pos behind it. !ok: it has not arrived whole.
func (r *Reader) header(mark byte) (n int, ok bool, err error) {
	if r.r+r.pos == r.w {
		return 0, false, nil
	}
	if c := r.buf[r.r+r.pos]; c != mark {
		return 0, false, fmt.Errorf("%w: expected '%c'", ErrProtocol, mark)
	}
	text, next, err := r.line(r.pos + 1)
	if err != nil || next == 0 {
		return 0, false, err
	}
	n, ok = number(text)
	if !ok {
		return 0, false, fmt.Errorf("%w: invalid length", ErrProtocol)
	}
	r.pos = next
	return n, true, nil
}

// line returns the text from r+pos to the line break, and where the next line begins; 0 if it has not arrived.
func (r *Reader) line(pos int) (text []byte, next int, err error) {
	rest := r.buf[r.r+pos : r.w]
	end := bytes.IndexByte(rest[:min(len(rest), maxLine)], '\n')
	if end < 0 {
		if len(rest) >= maxLine {
			return nil, 0, fmt.Errorf("%w: line too long", ErrProtocol)
		}
		return nil, 0, nil
	}
	if end == 0 || rest[end-1] != '\r' {
		return nil, 0, fmt.Errorf("%w: line break without CR", ErrProtocol)
	}
	return rest[:end-1], pos + end + 1, nil
}

// number parses a decimal that fits 11 digits: more than any limit, and never an overflow.
func number(text []byte) (n int, ok bool) {
	digits, negative := text, false
	if len(text) > 0 && text[0] == '-' {
		digits, negative = text[1:], true
	}
	if len(digits) == 0 || len(digits) > 11 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}
