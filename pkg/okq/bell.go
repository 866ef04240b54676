package okq

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// bell is a connection of its own on which a consumer waits: the server answers QNOTIFY at once while a registered
// queue has events and otherwise when one arrives, so that nothing pushed between a pop and the QNOTIFY is missed.
// rueidis' own way to a connection of one's own opens a second one beside it in RESP2, hence these few lines.
type bell struct {
	client *Client
	queues []string

	conn *conn
	r    *bufio.Reader
}

// slack is what an answer may take beyond the time that the server was told to wait.
const slack = 5 * time.Second

// wait returns true when a queue has events, false when none had for d (whole seconds) or ctx ended.
func (b *bell) wait(ctx context.Context, d time.Duration) (bool, error) {
	if b.conn == nil {
		if err := b.open(ctx); err != nil {
			return false, err
		}
	}
	reply, err := b.call(ctx, d+slack, "QNOTIFY", strconv.Itoa(int(d/time.Second)))
	if err != nil {
		b.close()
		if ctx.Err() != nil {
			return false, nil
		}
		return false, fmt.Errorf("wait for events: %w", err)
	}
	return reply != "", nil
}

// ping finds out whether the connection is there, and opens it if need be.
func (b *bell) ping(ctx context.Context) error {
	if b.conn == nil {
		return b.open(ctx)
	}
	_, err := b.call(ctx, b.client.opts.Timeout, "PING")
	if err != nil {
		b.close()
	}
	return err
}

func (b *bell) open(ctx context.Context) error {
	conn, err := b.client.dialer.dial(ctx)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	b.conn, b.r = conn, bufio.NewReaderSize(conn, 512)
	if password := b.client.opts.Password; password != "" {
		_, err = b.call(ctx, b.client.opts.Timeout, "AUTH", password)
	}
	if err == nil {
		_, err = b.call(ctx, b.client.opts.Timeout, "QREGISTER", b.queues...)
	}
	if err != nil {
		conn.answered.CompareAndSwap(false, ctx.Err() != nil) // it may have been about to
		b.close()
		return fmt.Errorf("register for events: %w", err)
	}
	return nil
}

func (b *bell) close() {
	if b.conn != nil {
		b.conn.Close()
		b.conn = nil
	}
}

// call sends a command and reads a reply that is a string or nil, which is "".
func (b *bell) call(ctx context.Context, timeout time.Duration, name string, args ...string) (string, error) {
	conn := b.conn
	conn.SetDeadline(time.Now().Add(timeout))
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, encode(append([]string{name}, args...)...)); err != nil {
		return "", err
	}
	return readString(b.r)
}

func readString(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	kind, text := line[0], strings.TrimRight(string(line[1:]), "\r\n")
	switch kind {
	case '+':
		return text, nil
	case '-':
		return "", replyError(strings.TrimPrefix(text, "ERR "))
	case '*': // some servers answer a nil array
		if text == "-1" {
			return "", nil
		}
	case '$':
		size, err := strconv.Atoi(text)
		if err != nil || size > 1<<20 {
			break
		}
		if size < 0 {
			return "", nil
		}
		body := make([]byte, size+2)
		if _, err := io.ReadFull(r, body); err != nil {
			return "", err
		}
		return string(body[:size]), nil
	}
	return "", badReply("notification", errors.New(strconv.Quote(text)))
}
