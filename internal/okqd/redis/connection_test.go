package redis_test

import (
	"bytes"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// cutter stands between okqd and Redis. A command with the word in it arrives and is done, and then the connection is
// lost before okqd knows.
type cutter struct {
	ln    net.Listener
	redis string
	word  []byte
}

func startCutter(t *testing.T, redis, word string) *cutter {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{ln, redis, []byte(word)}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			go c.carry(client)
		}
	}()
	return c
}

func (c *cutter) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.redis)
	if err != nil {
		return
	}
	defer server.Close()
	var swallow atomic.Bool
	go forward(server, client, func(b []byte) bool {
		if bytes.Contains(b, c.word) {
			swallow.Store(true)
		}
		return true
	})
	forward(client, server, func([]byte) bool { return !swallow.Load() })
}

// forward carries what may pass, until an end is gone.
func forward(to, from net.Conn, pass func([]byte) bool) {
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if err != nil || !pass(b[:n]) {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

func TestPushWhoseAnswerWasLostIsThereOnce(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedis(t)
	cut := startCutter(t, r.Addr, "contents that are cut off")
	okqd := okqdtest.RunT(t, okqdtest.WithRedis(cut.ln.Addr().String()))
	c := dial(t, okqd.Addr)
	want(t, c, "OK", "QLPUSH q first x") // so that the queue is listed
	if err := c.Do(t.Context(), "QLPUSH", "q", "id", "contents that are cut off").Err(); err == nil || !strings.HasPrefix(err.Error(), "ERR ") {
		t.Errorf("a push whose outcome is not known: %v", err)
	}
	eventually(t, "okqd is connected again", func() bool { return !strings.HasPrefix(do(t, c, "QSTATUS q"), "ERR") })
	want(t, c, "ERR duplicate event id", "QLPUSH q id x")
	want(t, c, "[[first x 1] [id contents that are cut off 1]]", "QRPOP q EX 60 COUNT 9")
	want(t, c, "1", "QACK q id")
	want(t, c, "0", "QACK q id")
}
