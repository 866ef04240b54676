package main

import (
	"encoding/json"
	"maps"
	"sync"

	"github.com/levenlabs/postmaster/pkg/job"
)

// A ledger is what the callers and the logs tell: each acknowledged mail, and what the workers said of unknown outcomes.
type ledger struct {
	mu      sync.Mutex      // protects the fields below
	acked   map[string]mail // by id
	called  int             // calls of Enqueue
	refused int             // of those: answered with an error, or not at all
	idle    int             // mails that were not tried, because all callers waited
	unknown int             // outcomes that a worker did not learn
	resent  map[string]int  // mails that a worker sent again without knowing, and how often it said so
	settled map[string]bool // mails that a worker found accepted when they came again
}

// A mail is what a caller asked for.
type mail struct {
	uniqueID string
	to       string
	hold     bool // onUnknown
	keyed    bool // with an idempotencyKey: tried until acknowledged
}

func newLedger() *ledger {
	return &ledger{acked: map[string]mail{}, resent: map[string]int{}, settled: map[string]bool{}}
}

func (l *ledger) acknowledge(id job.ID, m mail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.called++
	l.acked[string(id)] = m
}

func (l *ledger) refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.called++
	l.refused++
}

func (l *ledger) skip() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle++
}

// read sees each line of a worker's log. A line is in its pipe before the worker goes on, so a kill takes none away.
func (l *ledger) read(line []byte) {
	var fields struct {
		Message string
		JobID   string `json:"job_id"`
	}
	if json.Unmarshal(line, &fields) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch fields.Message {
	case "outcome unknown":
		l.unknown++
	case "outcome unknown, sending again":
		l.resent[fields.JobID]++
	case "already accepted":
		l.settled[fields.JobID] = true
	}
}

func (l *ledger) counts() (acknowledged, refused int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked), l.refused
}

// snapshot is a copy that nobody changes.
func (l *ledger) snapshot() *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &ledger{
		acked: maps.Clone(l.acked), called: l.called, refused: l.refused, idle: l.idle, unknown: l.unknown,
		resent: maps.Clone(l.resent), settled: maps.Clone(l.settled),
	}
}
