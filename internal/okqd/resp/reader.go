// Package resp reads commands in the Redis serialization protocol and writes replies to them, RESP2 and RESP3.
// Reading is bounded: what a peer declares is believed only as far as the limits go, and memory follows what has
// arrived, not what was announced.
package resp

import (
	"errors"
	"fmt"
	"io"

	"github.com/levenlabs/postmaster/internal/buffers"
)

// Limits bound one command.
type Limits struct {
	MaxBulk  int // bytes in one argument
	MaxArgs  int // arguments, the command's name included
	MaxBytes int // bytes in all, with what the protocol adds
}

// ErrProtocol is what the peer sent instead of a command. The connection cannot go on: where the next command
// would begin is unknown.
//
//lint:ignore ST1005 the wire's spelling
var ErrProtocol = errors.New("Protocol error") //nolint:staticcheck // the same for golangci-lint

// ErrNotBulk is a command with an element that is not a bulk string. The connection can go on.
var ErrNotBulk = errors.New("invalid command")

// A Reader reads commands from one connection. Next takes what has arrived, Fill waits for more.
type Reader struct {
	src  io.Reader
	lim  Limits
	idle []byte // small, kept for the connection's life
	buf  []byte // idle, or a large one while there is traffic
	r, w int    // buf[r:w] is unread; a command that Next has begun starts at r
	last int    // what the last read brought

	// The command begun, so that each byte is looked at once however it arrives.
	begun   bool
	pos     int // parsed up to buf[r+pos]
	left    int // elements still to come
	spans   []span
	notBulk bool
	need    int // r+need is where the element begun will end, if known

	args [][]byte // handed out since the last Fill
}

type span struct{ off, len int } // from r

const (
	idleSize = 4 << 10
	busySize = buffers.Smallest // a connection that has nothing to say holds idleSize only
	maxLine  = 64               // "*" or "$", a number, CR LF
)

// NewReader returns a Reader of src.
func NewReader(src io.Reader, lim Limits) *Reader {
	return &Reader{src: src, lim: lim}
}

// SetLimits changes the limits for commands not yet begun.
func (r *Reader) SetLimits(lim Limits) { r.lim = lim }

// Next returns the next command that has arrived whole, or nil if there is none. The arguments are valid until Fill.
// An empty command ("*0") is an empty slice that is not nil; "*-1" is skipped.
func (r *Reader) Next() ([][]byte, error) {
	for {
		if !r.begun {
			n, ok, err := r.header('*')
			if err != nil || !ok {
				return nil, err
			}
			if n > r.lim.MaxArgs {
				return nil, fmt.Errorf("%w: invalid multibulk length", ErrProtocol)
			}
			if n < 0 {
				r.discard()
				continue
			}
			r.begun, r.left = true, n
		}
		if ok, err := r.elements(); err != nil || !ok {
			return nil, err
		}
		return r.finish()
	}
}

// elements parses what is left of the command begun.
func (r *Reader) elements() (whole bool, err error) {
	for ; r.left > 0; r.left-- {
		start := r.pos
		if r.r+start == r.w {
			return false, nil
		}
		if c := r.buf[r.r+start]; c != '$' {
			if ok, err := r.otherElement(c); err != nil || !ok {
				return false, err
			}
			continue
		}
		n, ok, err := r.header('$')
		if err != nil || !ok {
			return false, err
		}
		if n > r.lim.MaxBulk {
			return false, fmt.Errorf("%w: invalid bulk length", ErrProtocol)
		}
		if n < 0 {
			r.notBulk = true
			continue
		}
		end := r.pos + n + 2
		if end > r.lim.MaxBytes {
			return false, fmt.Errorf("%w: command too large", ErrProtocol)
		}
		if r.w-r.r < end {
			r.pos, r.need = start, end
			return false, nil
		}
		if r.buf[r.r+end-2] != '\r' || r.buf[r.r+end-1] != '\n' {
			return false, fmt.Errorf("%w: no line break after a bulk", ErrProtocol)
		}
		r.spans = append(r.spans, span{r.pos, n})
		r.pos = end
	}
	return true, nil
}

// otherElement skips an integer or a simple string where a bulk string belongs.
func (r *Reader) otherElement(c byte) (ok bool, err error) {
	if c != ':' && c != '+' {
		return false, fmt.Errorf("%w: expected '$'", ErrProtocol)
	}
	_, next, err := r.line(r.pos + 1)
	if err != nil || next == 0 {
		return false, err
	}
	r.pos, r.notBulk = next, true
	return true, nil
}

// finish hands out the command begun and makes ready for the next.
func (r *Reader) finish() ([][]byte, error) {
	first := len(r.args)
	for _, s := range r.spans {
		off := r.r + s.off
		r.args = append(r.args, r.buf[off:off+s.len:off+s.len])
	}
	notBulk := r.notBulk
	r.discard()
	if notBulk {
		return nil, ErrNotBulk
	}
	args := r.args[first:len(r.args):len(r.args)]
	if args == nil {
		args = [][]byte{}
	}
	return args, nil
}

func (r *Reader) discard() {
	r.r += r.pos
	r.begun, r.pos, r.left, r.notBulk, r.need = false, 0, 0, false, 0
	r.spans = r.spans[:0]
}

// Buffered is the number of bytes that have arrived and are not part of a command handed out.
func (r *Reader) Buffered() int { return r.w - r.r }

// Needs is how large the command begun is at least, 0 if none has begun.
func (r *Reader) Needs() int {
	if r.r == r.w {
		return 0
	}
	return max(r.need, r.w-r.r)
}
