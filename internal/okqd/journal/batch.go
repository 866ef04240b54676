package journal

import "github.com/levenlabs/postmaster/internal/buffers"

// Batch is records on their way to the disk. The caller's lock protects it until it is placed; then it belongs to Write.
type Batch struct {
	base    Position
	buf     []byte
	frames  []frame
	records int
	oldest  Position // see header
	retired []*segment
	cold    []*segment // see warmSegments
}

// frame is a part of a batch's buffer, header included.
type frame struct {
	begin, end int // end without the zeros
	kept       int // records that Keep was told of and Drop not
	segment    *segment
}

// Len is the size of the batch so far.
func (b *Batch) Len() int { return len(b.buf) }

// Records is how many were appended.
func (b *Batch) Records() int { return b.records }

// Append makes room for records of n bytes together, all in the log or none, and returns where they are. The room is to
// be filled before the next call; it has something in it.
func (b *Batch) Append(n, records int) (Position, []byte) {
	b.records += records
	if len(b.frames) == 0 || b.last().end-b.last().begin+n > frameSize {
		b.open()
	}
	f := b.last()
	begin := f.end
	f.end += n
	b.grow(f.end)
	return b.base + Position(begin), b.buf[begin:f.end:f.end]
}

func (b *Batch) last() *frame { return &b.frames[len(b.frames)-1] }

// open begins a frame.
func (b *Batch) open() {
	b.pad()
	begin := len(b.buf)
	b.grow(begin + headerSize)
	b.frames = append(b.frames, frame{begin: begin, end: begin + headerSize})
}

// pad fills up with zeros to where a frame may begin.
func (b *Batch) pad() {
	end := len(b.buf)
	b.grow(align(end))
	clear(b.buf[end:])
}

func (b *Batch) grow(size int) {
	if size > cap(b.buf) {
		buf := buffers.Get(buffers.Size(max(size, 2*cap(b.buf), buffers.Smallest)))
		copy(buf, b.buf)
		buffers.Put(b.buf)
		b.buf = buf
	}
	b.buf = b.buf[:size]
}

// frameAt is the frame that holds the position.
func (b *Batch) frameAt(at Position) *frame {
	i := len(b.frames) - 1
	for i > 0 && b.base+Position(b.frames[i].begin) > at {
		i--
	}
	return &b.frames[i]
}

// reuse makes an empty batch of one that was written.
func (b *Batch) reuse() {
	const most = 1 << 20 // to be kept while there is nothing to do
	if cap(b.buf) > most {
		buffers.Put(b.buf)
		b.buf = nil
	}
	*b = Batch{buf: b.buf[:0], frames: b.frames[:0]}
}
