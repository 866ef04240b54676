package resp

import "github.com/levenlabs/postmaster/internal/buffers"

// Fill waits for more bytes. What Next has returned before is no longer valid.
func (r *Reader) Fill() error {
	r.makeRoom()
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	r.last = n
	if n > 0 {
		return nil
	}
	return err
}

// makeRoom leaves space behind w, in a buffer whose size suits what is expected.
func (r *Reader) makeRoom() {
	clear(r.args) // else they would keep a large buffer alive
	r.args = r.args[:0]
	unread, full := r.w-r.r, r.w == len(r.buf) && r.w > 0
	switch size := r.wanted(unread, full); {
	case size != len(r.buf):
		r.resize(size)
	case r.r > 0:
		copy(r.buf, r.buf[r.r:r.w])
	}
	r.r, r.w = 0, unread
}

// wanted is the size of buffer to read into next. A bulk's announced size is allocated at once only up to 1 MiB;
// beyond, the buffer doubles as bytes arrive.
func (r *Reader) wanted(unread int, full bool) int {
	const believed = 1 << 20
	switch {
	case unread == 0 && r.last < idleSize:
		return idleSize
	case r.need <= busySize && unread < busySize:
		if full || r.need > idleSize || len(r.buf) >= busySize {
			return busySize
		}
		return idleSize
	case len(r.buf) > busySize && unread < len(r.buf):
		return len(r.buf) // IMPORTANT: until it is full, else each read would copy all
	default:
		return buffers.Size(min(max(r.need, 2*unread), max(2*unread, believed)))
	}
}

func (r *Reader) resize(size int) {
	old := r.buf
	if size > idleSize {
		r.buf = buffers.Get(size)
	} else {
		if r.idle == nil {
			r.idle = make([]byte, idleSize)
		}
		r.buf = r.idle
	}
	copy(r.buf, old[r.r:r.w])
	buffers.Put(old)
}

// Release gives the buffers back. The Reader must not be used after it.
func (r *Reader) Release() {
	buffers.Put(r.buf)
	r.buf, r.idle, r.args = nil, nil, nil
}
