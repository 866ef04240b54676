package connlimit

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

type contextKey struct{}

// Attach makes srv tell the listener when requests begin and end, and requests know their connection. Call it before
// srv serves the listener.
func (l *Listener) Attach(srv *http.Server) {
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, contextKey{}, ConnOf(c))
	}
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		conn := ConnOf(c)
		switch {
		case conn.listener == nil:
		case state == http.StateActive:
			conn.begin()
		case state == http.StateIdle:
			conn.rest()
		}
	}
}

// Of returns the connection of a request. Where there is no Listener its methods do nothing.
func Of(r *http.Request) *Conn {
	if c, ok := r.Context().Value(contextKey{}).(*Conn); ok {
		return c
	}
	return &Conn{}
}

// ConnOf returns the Conn that c is, or that is under a TLS connection. Where there is none, its methods do nothing.
func ConnOf(c net.Conn) *Conn {
	for {
		switch inner := c.(type) {
		case *Conn:
			return inner
		case interface{ NetConn() net.Conn }:
			c = inner.NetConn()
		default:
			return &Conn{}
		}
	}
}

// drainTime is how long a refused client that is still sending has to see the answer before the connection ends.
const drainTime = 100 * time.Millisecond

// Refuse ends the connection after the answer that is about to be written, so that the rest of a refused request is
// neither read nor waited for.
func Refuse(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTime)) // an error means that there is nothing to wait for
}

// Pace is how fast a request's body must arrive. The zero value is 16 KiB, or the rest, every 5 s, and all within 30 s.
type Pace struct {
	Bytes  int           // in each Window, at least
	Window time.Duration //
	Total  time.Duration // for all of the body
}

// PaceBody returns a request whose reads of the body fail with os.ErrDeadlineExceeded once the body is slower than p. It
// takes the place of the server's ReadTimeout. The request given is left as it is: net/http looks at its body to close
// the connection in a way that lets the client read the answer.
func PaceBody(w http.ResponseWriter, r *http.Request, p Pace) *http.Request {
	if p == (Pace{}) {
		p = Pace{Bytes: 16 << 10, Window: 5 * time.Second, Total: 30 * time.Second}
	}
	paced := *r
	paced.Body = &pacedBody{ReadCloser: r.Body, control: http.NewResponseController(w), pace: p}
	return &paced
}

type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	pace    Pace
	end     time.Time // of Total; zero before the first read
	got     int       // bytes in this window
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if b.end.IsZero() {
		b.end = time.Now().Add(b.pace.Total)
		b.extend()
	}
	n, err := b.ReadCloser.Read(p)
	b.got += n
	switch {
	case err == io.EOF:
		b.control.SetReadDeadline(time.Time{}) // else the server would take the deadline for the client's end
	case b.got >= b.pace.Bytes:
		b.extend()
	}
	return n, err
}

// extend begins a window.
func (b *pacedBody) extend() {
	b.got = 0
	next := time.Now().Add(b.pace.Window)
	if next.After(b.end) {
		next = b.end
	}
	b.control.SetReadDeadline(next)
}
