package sendgrid

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// A watch knows how much of one request can have left. SendGrid acts on a complete body only, so a request whose last
// byte was never handed to the connection, or could not be written to it, was certainly not taken.
//
// That must still hold after the verdict: a deadline can end the round trip while the connection's writer goes on.
// Hence the seal, after which the writer gets no byte more.
type watch struct {
	mu       sync.Mutex // protects the fields below
	sealed   bool
	complete bool // the body's last byte was handed out
	broken   bool // and the request could not be written
}

type watchKey struct{}

// watched returns a context under which wire reports to w.
func watched(ctx context.Context, w *watch) context.Context {
	ctx = context.WithValue(ctx, watchKey{}, w)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: w.wroteRequest})
}

// wroteRequest is called once a try's request was written, or could not be. Without an error it proves nothing: the
// last part may still be in the connection's buffer.
func (w *watch) wroteRequest(info httptrace.WroteRequestInfo) {
	if info.Err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = true
}

// seal ends the sending, and tells whether the request can have been taken given the round trip's error.
// From then on nothing reads the body.
func (w *watch) seal(err error) (maybeTaken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sealed = true
	// Wire speaks HTTP/1 only, so the failed write was this request's.
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "write" {
		return false
	}
	return w.complete && !w.broken
}

// restart is another try of the transport's own. It makes one only when it knows that the last one never left: the
// idle connection that it had picked was closed before a byte was written.
func (w *watch) restart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complete, w.broken = false, false
}

// body hands out a request's body under the watch.
type body struct {
	io.ReadCloser
	w    *watch
	left int64
}

var errSealed = errors.New("sending was given up")

func (b *body) Read(p []byte) (int, error) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	if b.w.sealed {
		return 0, errSealed
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left <= 0 {
		b.w.complete = true
	}
	return n, err
}

// wire is the transport: it puts the body under watch and bounds the answer.
type wire struct{ base http.RoundTripper }

func (t wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if w, ok := req.Context().Value(watchKey{}).(*watch); ok && req.Body != nil {
		req = req.WithContext(req.Context()) // a copy: a request is not the transport's to change
		getBody := req.GetBody
		req.Body = &body{req.Body, w, req.ContentLength}
		req.GetBody = func() (io.ReadCloser, error) {
			again, err := getBody()
			if err != nil {
				return nil, err
			}
			w.restart()
			return &body{again, w, req.ContentLength}, nil
		}
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = capped{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}

type capped struct {
	io.Reader
	io.Closer
}
