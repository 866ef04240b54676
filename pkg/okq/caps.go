package okq

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// Caps are what a server can beyond the original okq.
type Caps struct {
	Delay   bool // DELAY on pushes and on QACK REDO
	Count   bool // COUNT on QRPOP, and deliveries in its answer
	Touch   bool // QTOUCH
	Release bool // RELEASE on QACK REDO
	Find    bool // QPEEK
	Scan    bool // QSCAN
	Lease   bool // a token of each lease on QRPOP COUNT, and LEASE on what is done under it
	Move    bool // QMOVE
	Remove  bool // QREMOVE
	Replace bool // QREPLACE
}

// knownCaps were learnt when the client had made connects connections. A later connection may lead to another server.
type knownCaps struct {
	connects uint64
	caps     Caps
}

// Caps asks the server what it can, again after each connection that was made. The original okq can nothing, which is no error.
func (c *Client) Caps(ctx context.Context) (Caps, error) {
	connects := c.dialer.connects.Load()
	if known := c.caps.Load(); known != nil && known.connects == connects {
		return known.caps, nil
	}
	msg, err := c.do(ctx, "QCAPS", "")
	var refused *ServerError
	if err != nil && !errors.As(err, &refused) {
		return Caps{}, fmt.Errorf("ask okq what it can: %w", err)
	}
	var caps Caps
	if err == nil {
		words := capWords(msg)
		caps = parseCaps(words)
		if len(c.opts.Addrs) == 1 {
			c.dialer.sets.replaced(c.opts.Addrs[0], queueSetOf(words))
		}
	}
	c.caps.Store(&knownCaps{connects: connects, caps: caps})
	return caps, nil
}

func capWords(msg rueidis.RedisMessage) []string {
	words, err := msg.AsStrSlice()
	if err != nil {
		text, _ := msg.ToString()
		words = strings.Fields(text)
	}
	return words
}

func parseCaps(words []string) Caps {
	var caps Caps
	for _, word := range words {
		switch strings.ToUpper(word) {
		case "DELAY":
			caps.Delay = true
		case "COUNT":
			caps.Count = true
		case "QTOUCH":
			caps.Touch = true
		case "RELEASE":
			caps.Release = true
		case "QPEEK":
			caps.Find = true
		case "QSCAN":
			caps.Scan = true
		case "LEASE":
			caps.Lease = true
		case "QMOVE":
			caps.Move = true
		case "QREMOVE":
			caps.Remove = true
		case "QREPLACE":
			caps.Replace = true
		}
	}
	return caps
}
