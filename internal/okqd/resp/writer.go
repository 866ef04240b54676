package resp

import (
	"io"
	"net"
	"strconv"
	"sync"
)

// A Writer collects replies and writes them in as few writes as there are flushes.
type Writer struct {
	dst   io.Writer
	buf   []byte      // borrowed from replyBuffers while it holds anything
	whole net.Buffers // what goes before buf: earlier buf's and large bulks, which are not copied
	full  [][]byte    // those of whole that are borrowed
	size  int         // of whole
	v3    bool
}

const (
	replySize = 16 << 10
	// largeBulk is when a write of its own is cheaper than a copy.
	largeBulk = 32 << 10
)

var replyBuffers = sync.Pool{New: func() any { return new([replySize]byte) }}

// NewWriter returns a Writer to dst that speaks RESP2.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst} }

// SetRESP3 chooses between RESP2 and RESP3.
func (w *Writer) SetRESP3(on bool) { w.v3 = on }

// RESP3 tells which of the two is spoken.
func (w *Writer) RESP3() bool { return w.v3 }

// Size is the number of bytes that a Flush would write.
func (w *Writer) Size() int { return w.size + len(w.buf) }

func (w *Writer) room() []byte {
	if w.buf == nil {
		w.buf = replyBuffers.Get().(*[replySize]byte)[:0]
	}
	return w.buf
}

// Simple writes a simple string, which must be without line breaks.
func (w *Writer) Simple(s string) {
	w.buf = append(append(append(w.room(), '+'), s...), "\r\n"...)
}

// Error writes an error; line breaks in it become spaces.
func (w *Writer) Error(s string) {
	b := append(w.room(), '-')
	for i := range len(s) {
		c := s[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		b = append(b, c)
	}
	w.buf = append(b, "\r\n"...)
}

// Int writes an integer.
func (w *Writer) Int(n int) { w.line(':', n) }

// Array begins an array of n elements.
func (w *Writer) Array(n int) { w.line('*', n) }

// Map begins a map of n pairs, in RESP2 an array of 2n elements.
func (w *Writer) Map(n int) {
	if w.v3 {
		w.line('%', n)
		return
	}
	w.line('*', 2*n)
}

// Null writes the null of RESP3, or the null bulk string of RESP2.
func (w *Writer) Null() {
	if w.v3 {
		w.buf = append(w.room(), "_\r\n"...)
		return
	}
	w.buf = append(w.room(), "$-1\r\n"...)
}

// BulkString writes a bulk string.
func (w *Writer) BulkString(s string) {
	w.line('$', len(s))
	w.buf = append(append(w.buf, s...), "\r\n"...)
}

// Bulk writes a bulk string. b must not change before Flush.
func (w *Writer) Bulk(b []byte) {
	w.line('$', len(b))
	if len(b) >= largeBulk {
		w.next()
		w.whole = append(w.whole, b)
		w.size += len(b)
		w.buf = append(w.room(), "\r\n"...)
		return
	}
	if len(w.buf)+len(b)+len("\r\n") > cap(w.buf) {
		w.next()
	}
	w.buf = append(append(w.room(), b...), "\r\n"...)
}

// next begins another buffer.
func (w *Writer) next() {
	w.whole, w.full = append(w.whole, w.buf), append(w.full, w.buf)
	w.size += len(w.buf)
	w.buf = nil
}

func (w *Writer) line(mark byte, n int) {
	w.buf = append(strconv.AppendInt(append(w.room(), mark), int64(n), 10), "\r\n"...)
}

// Flush writes everything, and gives the buffers back whether it worked or not.
func (w *Writer) Flush() error {
	if w.Size() == 0 {
		return nil
	}
	var err error
	if len(w.whole) == 0 {
		_, err = w.dst.Write(w.buf)
	} else {
		all := append(w.whole, w.buf)
		_, err = all.WriteTo(w.dst)
	}
	for _, buf := range append(w.full, w.buf) {
		if cap(buf) == replySize {
			replyBuffers.Put((*[replySize]byte)(buf[:replySize]))
		}
	}
	w.buf, w.whole, w.full, w.size = nil, nil, nil, 0
	return err
}
