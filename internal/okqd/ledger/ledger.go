// Package ledger is clients of an okqd that note what they were told, so that a test can kill whatever it likes under
// them and then hold what is there against what was promised.
//
//	l := ledger.New(ledger.CutOff)
//	go l.Produce(ctx, addr, "name")   // as many as you like
//	go l.Consume(ctx, addr)
//	…                                 // kill, restart
//	l.Drain(t, addr)
//	l.Check(t)
package ledger

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"
)

// Manner is what a client does when a command fails.
type Manner int

// The manners.
const (
	CutOff  Manner = iota // ends, and counts the command as nothing
	Persist               // goes on: a push is repeated with the same id until it is answered, as callers should
)

// Ledger is what the clients know.
type Ledger struct {
	manner Manner

	mu           sync.Mutex
	pushed       map[string]bool // acknowledged
	repeated     map[string]bool // pushed again, perhaps after the first push was carried out and its event acked
	popped       map[string]int
	ackSent      map[string]bool      // perhaps acknowledged, perhaps not
	acked        map[string]time.Time // acknowledged, when that was known
	seenAfterAck map[string]bool
	bad          []string
	again        int
	errors       int
}

// New returns an empty ledger for clients of that manner.
func New(m Manner) *Ledger {
	return &Ledger{
		manner: m, pushed: map[string]bool{}, repeated: map[string]bool{}, popped: map[string]int{}, ackSent: map[string]bool{},
		acked: map[string]time.Time{}, seenAfterAck: map[string]bool{},
	}
}

// Lost are the events whose push was acknowledged, that nobody acked, and that are not there. Drain must have ended.
func (l *Ledger) Lost() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lost []string
	for id := range maps.Keys(l.pushed) {
		if !l.ackSent[id] {
			lost = append(lost, id)
		}
	}
	return lost
}

// Pushed is how many pushes were acknowledged so far.
func (l *Ledger) Pushed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pushed)
}

// Check holds the ledger against the promises.
func (l *Ledger) Check(tb testing.TB) {
	tb.Helper()
	if lost := l.Lost(); len(lost) > 0 {
		tb.Errorf("%d acknowledged events are lost, such as %s", len(lost), lost[0])
	}
	for id := range l.seenAfterAck {
		tb.Errorf("event %s was seen after its acknowledged ack", id)
	}
	l.CheckContents(tb)
}

// CheckContents checks what holds even if a promise was not given: no event came with contents of another, and there
// was something to lose.
func (l *Ledger) CheckContents(tb testing.TB) {
	tb.Helper()
	if len(l.bad) > 0 {
		tb.Errorf("%d events came with other contents, such as %s", len(l.bad), l.bad[0])
	}
	if len(l.pushed) == 0 || len(l.acked) == 0 {
		tb.Errorf("nothing was tried: %d pushes, %d acks", len(l.pushed), len(l.acked))
	}
}

func (l *Ledger) String() string {
	return fmt.Sprintf("%d pushes and %d acks were acknowledged, %d commands failed, %d events redelivered; lost %d, seen after their ack %d",
		len(l.pushed), len(l.acked), l.errors, l.again, len(l.Lost()), len(l.seenAfterAck))
}

func contentsOf(id string) string { return strings.Repeat(id+".", 1+len(id)*3) }

// Failed is how many commands were answered with an error, or not at all.
func (l *Ledger) Failed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.errors
}
