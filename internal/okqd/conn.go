package okqd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/rs/zerolog"

	"github.com/levenlabs/postmaster/internal/buffers"
	"github.com/levenlabs/postmaster/internal/connlimit"
	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/resp"
)

// conn is one client. All but interrupt and kill belong to its own goroutine.
type conn struct {
	srv *Server
	nc  net.Conn
	id  int64
	log zerolog.Logger
	r   *resp.Reader
	w   *resp.Writer

	limit *connlimit.Conn
	known bool // it has given the password or, where none is set, has sent a command

	authed   bool
	closing  bool // after the replies so far
	name     string
	consumer engine.Consumer // nil until QREGISTER
	pipeline *pipeline       // nil while idle
	left     func() bool     // see engine.Room
	reserved int64           // of srv.inflight
	held     int64           // of srv.replies
	timed    bool            // a read deadline is set
}

const (
	// maxPipeline is how many commands are taken together, at most.
	maxPipeline = 1024
	// freeSize is how large a command may grow without asking for room in srv.inflight.
	freeSize = 64 << 10
	// reserveTimeout is how long a large command waits for that room.
	reserveTimeout   = 5 * time.Second
	handshakeTimeout = 10 * time.Second
	lingerTimeout    = time.Second
	lingerSize       = 1 << 20
)

func newConn(s *Server, nc net.Conn) *conn {
	id := s.lastID.Add(1)
	limits := s.cfg.limits()
	authed := len(s.cfg.Passwords) == 0
	if !authed {
		limits = unauthenticatedLimits()
	}
	limit := connlimit.ConnOf(nc)
	return &conn{
		left: func() bool { return clientLeft(limit.Conn) }, // the TCP connection, under TLS too
		srv:  s, nc: nc, id: id, authed: authed, limit: limit,
		log: s.log.With().Int64("conn", id).Stringer("addr", nc.RemoteAddr()).Logger(),
		r:   resp.NewReader(nc, limits), w: resp.NewWriter(writerOf(nc)),
	}
}

// writerOf returns what replies are written to: under TCP the connection itself, which takes many buffers in one call.
func writerOf(nc net.Conn) net.Conn {
	if limited, ok := nc.(*connlimit.Conn); ok {
		return limited.Conn
	}
	return nc
}

// serve answers commands until the client leaves, misbehaves, or the server ends.
func (c *conn) serve(ctx context.Context) {
	defer c.close()
	if err := c.handshake(ctx); err != nil {
		c.log.Debug().Err(err).Msg("TLS handshake")
		return
	}
	for !c.closing {
		more := c.takeAll(ctx)
		c.execute(ctx)
		if c.flush() != nil {
			return
		}
		if c.closing {
			c.linger()
			return
		}
		if more {
			continue
		}
		c.unreserve()
		if err := c.fill(ctx); err != nil {
			if errors.Is(err, errInflight) {
				c.w.Error(errNoMemory)
				if c.flush() == nil {
					c.linger()
				}
			}
			return
		}
	}
}

func (c *conn) handshake(ctx context.Context) error {
	tc, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	return tc.HandshakeContext(ctx)
}

// takeAll dispatches the commands that have arrived. more: it stopped before the last.
func (c *conn) takeAll(ctx context.Context) (more bool) {
	for range maxPipeline {
		args, err := c.r.Next()
		switch {
		case errors.Is(err, resp.ErrNotBulk):
			c.later().fail(errInvalidCommand)
		case err != nil:
			c.log.Debug().Err(err).Msg("protocol error")
			c.later().fail("ERR " + err.Error())
			c.closing = true
			return false
		case args == nil:
			return false
		default:
			c.dispatch(ctx, args)
		}
		if c.closing {
			return false
		}
	}
	return true
}

// fill waits for more to read. A client may be idle for ever once it is known, but not in the middle of a command.
func (c *conn) fill(ctx context.Context) error {
	if begun := c.r.Buffered() > 0; begun || c.timed {
		var deadline time.Time
		if begun {
			deadline = time.Now().Add(c.srv.cfg.ReadTimeout)
		}
		if err := c.nc.SetReadDeadline(deadline); err != nil {
			return err
		}
		c.timed = begun
	}
	if c.srv.draining.Load() { // IMPORTANT: after the deadline was set, see interrupt
		return context.Canceled
	}
	if err := c.reserve(ctx); err != nil {
		return err
	}
	return c.r.Fill()
}

var errInflight = errors.New("no room for a large command")

// reserve gets room in srv.inflight for the buffer of the command begun.
func (c *conn) reserve(ctx context.Context) error {
	more := min(int64(buffers.Size(c.r.Needs())), c.srv.cfg.MaxInflight) - c.reserved
	if more <= freeSize {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reserveTimeout)
	defer cancel()
	if c.srv.inflight.Acquire(ctx, more) != nil {
		return errInflight
	}
	c.reserved += more
	return nil
}

func (c *conn) unreserve() {
	if c.reserved > 0 && c.r.Buffered() == 0 {
		c.srv.inflight.Release(c.reserved)
		c.reserved = 0
	}
}

func (c *conn) flush() error {
	if c.w.Size() == 0 {
		return nil
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.srv.cfg.WriteTimeout)); err != nil {
		return err
	}
	if c.held > 0 {
		defer c.srv.replies.flushing(c)()
	}
	defer c.releaseReplies()
	return c.w.Flush()
}

func (c *conn) releaseReplies() {
	if c.held > 0 {
		c.srv.replies.release(c.held)
		c.held = 0
	}
}

// linger takes what the client is still sending, for a while: to close before would make its system throw away the
// last reply unread.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.nc.SetReadDeadline(time.Now().Add(lingerTimeout)) != nil {
		return
	}
	io.CopyN(io.Discard, c.nc, lingerSize) //nolint:errcheck // the connection ends either way
}

func (c *conn) close() {
	if c.consumer != nil {
		c.consumer.Close()
	}
	if c.reserved > 0 {
		c.srv.inflight.Release(c.reserved)
	}
	c.releaseReplies()
	c.nc.Close()
	c.r.Release()
}

// interrupt ends a wait for the client's next command. draining is set already, so no other wait begins.
func (c *conn) interrupt() { c.nc.SetReadDeadline(time.Unix(1, 0)) } //nolint:errcheck // then it is closed already

func (c *conn) kill() { c.nc.Close() }
