package sendgrid

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/levenlabs/postmaster/internal/unsubscribe"
	"github.com/levenlabs/postmaster/pkg/job"
	"github.com/sendgrid/rest"
	"github.com/sendgrid/sendgrid-go"
)

const (
	dialTimeout = 10 * time.Second
	idleTimeout = 60 * time.Second
	maxHeader   = 64 << 10
	// maxPooled keeps a rare large mail from staying in memory.
	maxPooled = 256 << 10
)

// Client posts mails. It is safe for concurrent use, unlike sendgrid-go's own Client, which keeps the body of the
// latest call in a field and so loses and doubles mails when it is shared.
type Client struct {
	key, base, pool, env string
	links                *unsubscribe.Links // nil: mails carry no unsubscribe link
	rest                 rest.Client
	bodies               sync.Pool // of *[]byte
}

// New returns a client that marks its mails with env and keeps up to connections open between mails.
func New(cfg Config, env string, connections int) *Client {
	return &Client{
		key: cfg.Key, base: cfg.base(), pool: cfg.IPPool, env: env, links: unsubscribe.New(cfg.Unsubscribe),
		rest: rest.Client{HTTPClient: &http.Client{
			Transport:     wire{newTransport(connections)},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}},
		bodies: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// newTransport speaks HTTP/1.1: there one broken connection leaves one mail's outcome unknown, not that of all the
// mails in flight.
func newTransport(connections int) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		Protocols:              &protocols,
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConns:           connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
		WriteBufferSize:        8 << 10,
	}
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.rest.HTTPClient.CloseIdleConnections() }

// Send posts a mail. ctx bounds the whole exchange; when it ends early the result still says whether the mail can
// have been taken.
func (c *Client) Send(ctx context.Context, e *job.Email) Result {
	buf := c.bodies.Get().(*[]byte)
	data, err := appendBody((*buf)[:0], e, c.env, c.pool, c.links)
	if err != nil {
		c.bodies.Put(buf)
		return Result{Outcome: Rejected, Err: err, Errors: []job.ProviderError{{Message: err.Error()}}}
	}
	result := c.post(ctx, data)
	if cap(data) <= maxPooled { // the watch is sealed: nobody reads data any more
		*buf = data
		c.bodies.Put(buf)
	}
	return result
}

func (c *Client) post(ctx context.Context, data []byte) Result {
	var w watch
	req := sendgrid.GetRequest(c.key, "/v3/mail/send", c.base)
	req.Method, req.Body = rest.Post, data
	resp, err := c.rest.SendWithContext(watched(ctx, &w), req)
	maybeTaken := w.seal(err)
	if resp != nil { // an error beside it is about the rest of the answer's body, which can be done without
		return classify(resp, time.Now())
	}
	if maybeTaken {
		return Result{Outcome: Unknown, Err: err}
	}
	return Result{Outcome: NotSent, Err: err}
}
