package sendgrid

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/levenlabs/postmaster/pkg/job"
)

// server listens on the loopback and lets serve misbehave on each connection.
func server(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

// readRequest reads one whole request, body and all.
func readRequest(conn net.Conn) error {
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

// answer reads the request and writes raw bytes back.
func answer(raw string) func(net.Conn) {
	return func(conn net.Conn) {
		if readRequest(conn) == nil {
			io.WriteString(conn, raw)
		}
	}
}

// status is a whole answer.
func status(code int, body string, headers ...string) string {
	return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n%s", code, len(body),
		strings.Join(append(headers, ""), "\r\n"), body)
}

// reset closes the connection the hard way.
func reset(conn net.Conn) {
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

func small() *job.Email {
	return &job.Email{ID: job.NewID(), To: "to@example.com", From: "from@example.com", Subject: "s", Text: "t"}
}

// large does not fit into the buffers of two sockets.
func large() *job.Email {
	e := small()
	e.Attachments = []job.Attachment{{Content: strings.Repeat("QUJD", 4<<20), Filename: "f"}}
	return e
}

func send(t *testing.T, url string, e *job.Email, timeout time.Duration) Result {
	t.Helper()
	c := New(Config{Key: "SG.key", URL: url}, "test", 4)
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return c.Send(ctx, e)
}

// Each row of the outcomes that an answer proves.
func TestAnswersAreClassified(t *testing.T) {
	t.Parallel()
	const limited = `{"errors":[{"field":null,"message":"too many requests"}]}`
	rows := []struct {
		name, raw string
		want      Outcome
	}{
		{"202", status(202, "", "X-Message-Id: m1"), Accepted},
		{"202 without an id", status(202, ""), Accepted},
		{"202 whose body breaks off", "HTTP/1.1 202 X\r\nContent-Length: 10\r\n\r\nabc", Accepted},
		{"200 of somebody else without a body", status(200, ""), Unknown},
		{"200 of somebody else", status(200, "<html>hello"), Unknown},
		{"201", status(201, "{}"), Unknown},
		{"204", status(204, ""), Unknown},
		{"301", status(301, "", "Location: /elsewhere"), Refused},
		{"307", status(307, "", "Location: /elsewhere"), Refused},
		{"400", status(400, `{"errors":[{"message":"bad","field":"subject"}]}`), Rejected},
		{"401", status(401, `{"errors":[{"message":"The provided authorization grant is invalid, expired, or revoked"}]}`), Refused},
		{"401 credits", status(401, `{"errors":[{"message":"Maximum credits exceeded"}]}`), Refused},
		{"402", status(402, ""), Refused},
		{"403 sender", status(403, `{"errors":[{"message":"The from address does not match a verified Sender Identity.","field":"from"}]}`), Rejected},
		{"403 blocked", status(403, `{"errors":[{"message":"You have been temporarily blocked due to repeated bad requests"}]}`), Refused},
		{"403 not JSON", status(403, "<html>forbidden"), Refused},
		{"403 of a proxy", status(403, "<html>Requests from address 203.0.113.7 are blocked"), Refused},
		{"404", status(404, `{"errors":[{"message":"no"}]}`), Refused},
		{"405", status(405, `{"errors":[{"message":"no"}]}`), Refused},
		{"406", status(406, `{"errors":[{"message":"no"}]}`), Refused},
		{"400 of a proxy", status(400, "<html>bad request"), Refused},
		{"404 of a proxy", status(404, "<html>not found"), Refused},
		{"410 without a body", status(410, ""), Refused},
		{"422", status(422, `{"errors":[{"message":"bad"}]}`), Rejected},
		{"408", status(408, ""), NotSent},
		{"413 of nginx", status(413, "<html><h1>413 Request Entity Too Large</h1></html>", "Content-Type: text/html"), Rejected},
		{"415", status(415, `{"errors":[{"message":"no"}]}`), Refused},
		{"429", status(429, limited), Limited},
		{"451", status(451, `{"errors":[{"message":"region"}]}`), Rejected},
		{"500", status(500, ""), Unknown},
		{"502", status(502, "<html>bad gateway"), Unknown},
		{"503", status(503, ""), NotSent},
		{"504", status(504, ""), Unknown},
		{"599", status(599, ""), Unknown},
		{"garbage", "this is not HTTP\r\n\r\n", Unknown},
		{"half a header", "HTTP/1.1 202 Acc", Unknown},
		{"endless header", "HTTP/1.1 202 X\r\nX-Long: " + strings.Repeat("a", 1<<20), Unknown},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := send(t, server(t, answer(row.raw)), small(), 10*time.Second)
			if got.Outcome != row.want {
				t.Errorf("outcome %v, want %v (%+v)", got.Outcome, row.want, got)
			}
			switch got.Outcome {
			case Rejected, Refused, Limited:
				if len(got.Errors) == 0 || got.Errors[0].Status != got.Status {
					t.Errorf("errors %+v do not tell the status %d", got.Errors, got.Status)
				}
			}
		})
	}
}

// Each row of the outcomes that a connection without an answer proves.
func TestBrokenConnectionsAreClassified(t *testing.T) {
	t.Parallel()
	hang := func(conn net.Conn) { io.Copy(io.Discard, conn) } // reads all, says nothing, until the client goes
	rows := []struct {
		name    string
		serve   func(net.Conn)
		mail    *job.Email
		timeout time.Duration
		want    Outcome
	}{
		{"closed after half of the body", func(c net.Conn) { io.CopyN(io.Discard, c, 1<<20) }, large(), 10 * time.Second, NotSent},
		{"reset after half of the body", func(c net.Conn) { io.CopyN(io.Discard, c, 1<<20); reset(c) }, large(), 10 * time.Second, NotSent},
		{"stalled in the body until the deadline", func(c net.Conn) { io.CopyN(io.Discard, c, 1<<20); <-t.Context().Done() }, large(), time.Second, NotSent},
		{"closed after the request", func(c net.Conn) { readRequest(c) }, small(), 10 * time.Second, Unknown},
		{"reset after the request", func(c net.Conn) { readRequest(c); reset(c) }, small(), 10 * time.Second, Unknown},
		{"closed after a large request", func(c net.Conn) { readRequest(c) }, large(), 10 * time.Second, Unknown},
		{"silent until the deadline", hang, small(), time.Second, Unknown},
		{"silent after a large request", hang, large(), 2 * time.Second, Unknown},
		{"413 in the middle of the body", func(c net.Conn) {
			io.CopyN(io.Discard, c, 64<<10)
			io.WriteString(c, status(413, "", "Connection: close"))
			io.Copy(io.Discard, c)
		}, large(), 10 * time.Second, Rejected},
		{"202 with a body that never ends", func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, "HTTP/1.1 202 X\r\nContent-Length: 100\r\n\r\nabc")
			io.Copy(io.Discard, c)
		}, small(), time.Second, Accepted},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := send(t, server(t, row.serve), row.mail, row.timeout)
			if got.Outcome != row.want {
				t.Errorf("outcome %v, want %v (status %d, %v)", got.Outcome, row.want, got.Status, got.Err)
			}
		})
	}
}

func TestServerThatCannotBeReachedWasNotSentTo(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + ln.Addr().String()
	ln.Close()
	rows := map[string]string{
		"connection refused":    nobody,
		"no such host":          "http://sendgrid.invalid",
		"TLS that is not TLS":   strings.Replace(server(t, answer(status(202, ""))), "http:", "https:", 1),
		"TLS that is cut short": strings.Replace(server(t, func(c net.Conn) { io.CopyN(io.Discard, c, 10) }), "http:", "https:", 1),
	}
	for name, url := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := send(t, url, small(), 5*time.Second); got.Outcome != NotSent || got.Err == nil {
				t.Errorf("%+v, want not sent, with the error", got)
			}
		})
	}
}

func TestContextThatEndedBeforeSendingSendsNothing(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	url := server(t, func(c net.Conn) {
		if readRequest(c) == nil {
			requests.Add(1)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := New(Config{Key: "k", URL: url}, "test", 1)
	defer c.Close()
	if got := c.Send(ctx, small()); got.Outcome != NotSent || requests.Load() != 0 {
		t.Errorf("%v after %d requests, want not sent", got.Outcome, requests.Load())
	}
}

// A server closes idle connections at any time; a mail that picks such a connection is posted on another, once.
func TestIdleConnectionClosedByTheServerDoublesNothing(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	url := server(t, func(c net.Conn) {
		if readRequest(c) == nil {
			requests.Add(1)
			io.WriteString(c, status(202, "")) // says keep-alive, and closes
		}
	})
	c := New(Config{Key: "k", URL: url}, "test", 1)
	defer c.Close()
	const mails = 50
	for range mails {
		got := c.Send(t.Context(), small())
		switch got.Outcome {
		case Accepted:
		case NotSent, Unknown: // the close came during the write, or after it
		default:
			t.Fatalf("%+v", got)
		}
	}
	if n := requests.Load(); n > mails {
		t.Errorf("%d requests for %d mails", n, mails)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	target := server(t, func(c net.Conn) { elsewhere.Add(1); answer(status(202, ""))(c) })
	for _, code := range []int{301, 302, 303, 307, 308} {
		send(t, server(t, answer(status(code, "", "Location: "+target))), small(), 5*time.Second)
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func TestLimitSaysWhenItEnds(t *testing.T) {
	t.Parallel()
	now := time.Now()
	rows := []struct {
		name, header string
		want         time.Duration // from now; 0 is "not said"
	}{
		{"reset", fmt.Sprintf("X-RateLimit-Reset: %d", now.Unix()+40), 40 * time.Second},
		{"reset in the past", fmt.Sprintf("X-RateLimit-Reset: %d", now.Unix()-40), 0},
		{"reset in a year", fmt.Sprintf("X-RateLimit-Reset: %d", now.Unix()+365*86400), maxLimit},
		{"reset of 0 beside a retry after", "X-RateLimit-Reset: 0\r\nRetry-After: 7", 7 * time.Second},
		{"reset in the past beside a retry after", fmt.Sprintf("X-RateLimit-Reset: %d\r\nRetry-After: 7", now.Unix()-40), 7 * time.Second},
		{"reset in milliseconds", fmt.Sprintf("X-RateLimit-Reset: %d", now.UnixMilli()+40_000), 40 * time.Second},
		{"reset in seconds from now", "X-RateLimit-Reset: 40", 40 * time.Second},
		{"reset that overflows", "X-RateLimit-Reset: 9223372036854775807", maxLimit},
		{"retry after that overflows", "Retry-After: 9223372036854775807", maxLimit},
		{"reset that is no number", "X-RateLimit-Reset: soon", 0},
		{"retry after seconds", "Retry-After: 7", 7 * time.Second},
		{"retry after a date", "Retry-After: " + now.Add(90*time.Second).UTC().Format(http.TimeFormat), 90 * time.Second},
		{"nothing", "X-Other: 1", 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := send(t, server(t, answer(status(429, "", row.header))), small(), 5*time.Second)
			if row.want == 0 {
				if !got.Until.IsZero() {
					t.Errorf("until %v, want none", got.Until)
				}
				return
			}
			if d := got.Until.Sub(now); d < row.want-3*time.Second || d > row.want+30*time.Second {
				t.Errorf("until %v from now, want %v", d, row.want)
			}
		})
	}
}

func TestHugeAnswerIsCutShort(t *testing.T) {
	t.Parallel()
	url := server(t, func(c net.Conn) {
		if readRequest(c) != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 400 X\r\n\r\n")
		for chunk := strings.Repeat("a", 1<<16); ; {
			if _, err := io.WriteString(c, chunk); err != nil {
				return
			}
		}
	})
	got := send(t, url, small(), 10*time.Second)
	if got.Outcome != Refused || len(got.Errors[0].Message) > maxMessage+50 {
		t.Errorf("%v with a message of %d bytes", got.Outcome, len(got.Errors[0].Message))
	}
}
